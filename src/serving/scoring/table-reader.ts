import { nearestName } from '#contracts/nearest-name';
import type { ParsedTensor } from '../infer-request.ts';
import type { JsonCursor } from '../rest/json-cursor.ts';
import { servingErrors } from '../serving-errors.ts';
import { InputValues } from './input-values.ts';
import type { RowPlan, Target } from './row-plan.ts';

const comma = 0x2c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;

/** Values that are filled in whatever the length of the body. */
const carelessCount = 1_000_000;

/** Where a column of a table goes; undefined where the model has no use for it. */
export type Header = readonly (Target | undefined)[];

/** Reads one table for one model: rows and columns, in any of the forms that callers send them. */
export class TableReader {
  readonly plan: RowPlan;
  readonly values: readonly InputValues[];
  rows = 0;
  /** By the id of a target: the row after the last one that had it. */
  private readonly lastRow: Uint32Array;
  /** What no row has, and none need have. */
  private absent: readonly Target[] = [];
  /** Values that may still be filled in where none was sent, so that a small body takes no great memory. */
  private spare: number;

  constructor(plan: RowPlan, bodyBytes: number, readsBase64 = false) {
    this.plan = plan;
    this.values = plan.inputs.map((input) => new InputValues(input, readsBase64));
    this.lastRow = new Uint32Array(plan.targetCount);
    this.spare = carelessCount + bodyBytes;
  }

  valuesOf(target: Target): InputValues {
    return this.values[target.input] as InputValues; // a target is one of the plan's inputs
  }

  /** The place in the row that is being read; of a target that is one value of a row. */
  placeOf(target: Target, { planned: { width } }: InputValues): number {
    return this.rows * width + Math.max(target.offset, 0);
  }

  /** Reads what comes next as the value of a target in the row that is being read. */
  readTarget(cursor: JsonCursor, target: Target): void {
    const values = this.valuesOf(target);
    if (target.offset < 0) this.readRowOf(cursor, values);
    else values.readCell(cursor, this.placeOf(target, values));
  }

  /** One row of a whole input: a value, or lists as its dimensions say, or one flat list. */
  private readRowOf(cursor: JsonCursor, values: InputValues): void {
    const { rowShape, width } = values.planned;
    const start = width < 0 ? values.length : this.rows * width;
    if (width === 1 && rowShape.length <= 1) {
      const isList = rowShape.length === 1 && cursor.take(openList);
      values.readCell(cursor, start);
      if (isList && !cursor.take(closeList)) throw this.wrongWidth(values, 'more');
      values.length = start + 1;
      return;
    }
    if (!cursor.take(openList)) throw values.refuse(`${cursor.describe()} where a list belongs`, start);
    values.length = start;
    if (cursor.peek() !== openList && width >= 0) this.readRun(cursor, values, width);
    else this.readNested(cursor, values, 0);
  }

  /** Behind the opening bracket. */
  private readRun(cursor: JsonCursor, values: InputValues, length: number): void {
    const start = values.length;
    let index = start;
    if (!cursor.take(closeList)) {
      do {
        if (length >= 0 && index - start === length) throw this.wrongWidth(values, 'more');
        values.readCell(cursor, index);
        index += 1;
      } while (cursor.take(comma));
      cursor.expect(closeList);
    }
    values.length = index;
    if (length >= 0 && index - start !== length) throw this.wrongWidth(values, String(index - start));
  }

  private readNested(cursor: JsonCursor, values: InputValues, depth: number): void {
    const { rowShape } = values;
    const wanted = rowShape[depth] ?? 0;
    let count = 0;
    if (depth === rowShape.length - 1) {
      const start = values.length;
      this.readRun(cursor, values, wanted);
      count = values.length - start;
    } else if (!cursor.take(closeList)) {
      do {
        if (count === wanted) throw this.wrongWidth(values, 'more');
        cursor.expect(openList);
        this.readNested(cursor, values, depth + 1);
        count += 1;
      } while (cursor.take(comma));
      cursor.expect(closeList);
    }
    if (wanted < 0) values.setDimension(depth, count);
    else if (count !== wanted) throw this.wrongWidth(values, String(count));
  }

  private wrongWidth(values: InputValues, found: string): Error {
    const { declared } = values.planned;
    return servingErrors.REQUEST_MALFORMED(
      `row ${this.rows + 1} of "${declared.name}" has ${found} values where its shape [${[-1, ...values.rowShape].join(', ')}] says otherwise`,
    );
  }

  /**
   * Which column is which: by name, one that the model does not know is passed over; those of a matrix without names by
   * their place. Undefined: each row is a list for the only input.
   */
  readHeader(names: readonly string[]): Header | undefined {
    const { byName, matrix, positions } = this.plan;
    if (matrix === undefined || names.some((name) => byName.has(name))) return this.requireColumns(names);
    if (names.length === 1) return [matrix.whole];
    if (positions === undefined && matrix.rowShape.length === 1) return undefined;
    if (positions?.length === names.length) return positions;
    // Pandas writes its index in front, under no name.
    if (positions !== undefined && positions.length === names.length - 1 && names[0] === '')
      return [undefined, ...positions];
    const wanted = positions === undefined ? 'lists, in one column' : `${positions.length} columns`;
    throw servingErrors.REQUEST_MALFORMED(
      `the table has ${names.length} columns; "${matrix.declared.name}" takes ${wanted}`,
    );
  }

  /** Finds the columns by name; all that the model needs must be there, once. */
  requireColumns(names: readonly string[]): Header {
    const header = names.map((name) => this.plan.byName.get(name));
    for (const target of header) {
      if (target === undefined) continue;
      if (this.lastRow[target.id] !== 0)
        throw servingErrors.REQUEST_MALFORMED(`column "${target.name}" is there twice`);
      this.lastRow[target.id] = 1;
    }
    this.absent = this.listMissing(0);
    this.assertOptional(names);
    return header;
  }

  /** Whether the object that comes next is a value and no row: `{"b64": …}`, where the only input takes texts. */
  isValue(cursor: JsonCursor): boolean {
    const [only] = this.values;
    if (this.values.length !== 1 || only?.readsBase64 !== true || only.kind !== 'text') return false;
    const start = cursor.at;
    const isText = cursor.take(openObject) && cursor.peek() === 0x22 && cursor.string() === 'b64';
    cursor.at = start;
    return isText && !this.plan.byName.has('b64');
  }

  /** A row without names: the value of the only input, or a list in the order of the inputs. */
  readPositions(cursor: JsonCursor): void {
    const { positions, inputs } = this.plan;
    const [first] = inputs;
    if (inputs.length === 1 && first !== undefined && first.columns.length === 0)
      return this.readTarget(cursor, first.whole);
    if (positions === undefined)
      throw servingErrors.REQUEST_MALFORMED('a row of this model needs the names of its inputs: send objects');
    if (!cursor.take(openList))
      throw servingErrors.REQUEST_MALFORMED(
        `row ${this.rows + 1} is ${cursor.describe()}; a row is an object of columns, or a list of ${positions.length} values`,
      );
    this.readCells(cursor, positions);
  }

  /** The cells of a row, behind its opening bracket. */
  readCells(cursor: JsonCursor, header: Header): void {
    let position = 0;
    if (!cursor.take(closeList)) {
      do {
        if (position === header.length) throw this.wrongCells(header, 'more');
        const target = header[position];
        if (target === undefined) cursor.skip();
        else this.readTarget(cursor, target);
        position += 1;
      } while (cursor.take(comma));
      cursor.expect(closeList);
    }
    if (position !== header.length) throw this.wrongCells(header, String(position));
  }

  wrongCells(header: Header, found: string): Error {
    return servingErrors.REQUEST_MALFORMED(
      `row ${this.rows + 1} has ${found} values; there are ${header.length} columns`,
    );
  }

  /** A list of rows, each an object with the names of its columns; from its first object to its closing bracket. */
  readRecords(cursor: JsonCursor, body: Buffer): void {
    const keys: RecordKeys = [];
    do {
      if (!cursor.take(openObject))
        throw servingErrors.REQUEST_MALFORMED(`row ${this.rows + 1} is ${cursor.describe()} where an object belongs`);
      const isAlike = this.readRecord(cursor, body, keys);
      // A row with the keys of the first one, in their order, lacks what that one lacked: most often nothing.
      if (!isAlike) {
        const missing = this.listMissing(this.rows);
        if (this.rows === 0) this.absent = missing;
        this.fillRow(missing, () => namesOf(keys));
      } else if (this.absent.length > 0) this.fillRow(this.absent, () => []);
      this.rows += 1;
    } while (cursor.take(comma));
    cursor.expect(closeList);
    this.absent = this.listMissing(0);
    this.assertOptional(namesOf(keys));
    this.absent = [];
  }

  /** Behind the opening brace; true when its keys are those of the first row. */
  private readRecord(cursor: JsonCursor, body: Buffer, keys: RecordKeys): boolean {
    const row = this.rows + 1;
    let position = 0;
    let isAlike = row > 1;
    if (!cursor.take(0x7d)) {
      do {
        cursor.peek();
        const key = keys[position];
        let target: Target | undefined;
        if (isAlike && key !== undefined && isSame(body, cursor.at, key.start, key.length)) {
          cursor.at += key.length;
          target = key.target;
        } else {
          isAlike = false;
          const start = cursor.at;
          const name = cursor.string();
          target = this.plan.byName.get(name) ?? keys.find((known) => known.name === name)?.target;
          // a matrix without names takes its columns in the order of the first row
          if (row === 1) target ??= this.plan.matrix && this.plan.positions?.[position];
          if (row === 1) keys.push({ name, start, length: cursor.at - start, target });
        }
        cursor.expect(0x3a);
        position += 1;
        if (target === undefined) cursor.skip();
        else {
          this.readTarget(cursor, target);
          this.lastRow[target.id] = row;
        }
      } while (cursor.take(comma));
      cursor.expect(0x7d);
    }
    return isAlike && position === keys.length;
  }

  /** What was not marked since this row. */
  private listMissing(since: number): readonly Target[] {
    const { inputs, matrix, positions } = this.plan;
    const missing: Target[] = [];
    const isThere = ({ id }: Target): boolean => (this.lastRow[id] ?? 0) > since;
    for (const { whole, columns } of inputs) {
      if (isThere(whole)) continue;
      if (columns.length > 0) missing.push(...columns.filter((target) => !isThere(target)));
      else if (matrix !== undefined && positions?.some(isThere) === true)
        missing.push(...positions.filter((target) => !isThere(target)));
      else missing.push(whole);
    }
    return missing;
  }

  /** What the whole table lacks must be what it may lack. */
  private assertOptional(given: readonly string[]): void {
    const needed = this.absent.filter((target) => this.valuesOf(target).planned.declared.optional !== true);
    if (needed[0] !== undefined) throw this.missingColumn(needed[0], needed.length, given);
  }

  private missingColumn(first: Target, count: number, given: readonly string[], row?: number): Error {
    const unknown = given.filter((name) => !this.plan.byName.has(name)); // what the model takes is no slip for another
    const near = nearestName(first.name, unknown);
    const where = row === undefined || row === 1 ? '' : ` in row ${row}`;
    const others = count > 1 ? `, and ${count - 1} more` : '';
    return servingErrors.REQUEST_MALFORMED(
      `column "${first.name}" is missing${where}${others}${near === undefined ? '' : `; "${near}" is there, did you mean that?`}`,
    );
  }

  /** Null where a row lacks a value and may. */
  private fillRow(missing: readonly Target[], given: () => readonly string[]): void {
    const isNeeded = (target: Target): boolean => {
      const { declared } = this.valuesOf(target).planned;
      return declared.optional !== true && declared.nullable !== true;
    };
    for (const target of missing) {
      const values = this.valuesOf(target);
      const { width } = values.planned;
      if (isNeeded(target)) throw this.missingColumn(target, missing.filter(isNeeded).length, given(), this.rows + 1);
      const count = target.offset < 0 ? width : 1;
      this.spare -= count;
      if (width < 0 || this.spare < 0)
        throw servingErrors.REQUEST_MALFORMED(
          `column "${target.name}" is missing in row ${this.rows + 1}; send null where there is no value`,
        );
      const start = this.placeOf(target, values);
      for (let index = start; index < start + count; index += 1) values.setNull(index);
    }
  }

  /** The tensors, once all rows are read. */
  finish(): readonly ParsedTensor[] {
    if (this.absent.length > 0) {
      const rows = this.rows;
      for (this.rows = 0; this.rows < rows; this.rows += 1) this.fillRow(this.absent, () => []);
    }
    return this.values.map((values) => values.toTensor(this.rows));
  }
}

/** The keys of the first row as they are written: those of the next rows are most likely the same bytes. */
type RecordKeys = {
  readonly name: string;
  readonly start: number;
  readonly length: number;
  readonly target: Target | undefined;
}[];

const namesOf = (keys: RecordKeys): readonly string[] => keys.map(({ name }) => name);

function isSame(body: Buffer, at: number, start: number, length: number): boolean {
  for (let index = 0; index < length; index += 1) if (body[at + index] !== body[start + index]) return false;
  return true;
}
