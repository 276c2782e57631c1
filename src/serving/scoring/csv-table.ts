import { servingErrors } from '../serving-errors.ts';
import type { InputValues } from './input-values.ts';
import type { TableReader } from './table-reader.ts';

const quote = 0x22;
const comma = 0x2c;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** How Pandas and others write that there is no number. */
const noNumber = new Set(['', 'NaN', 'nan', 'NA', 'N/A', '#N/A', 'n/a', 'null', 'NULL', 'None', '<NA>']);
const flags = new Map([
  ...['true', 'True', 'TRUE'].map((text) => [text, 1] as const),
  ...['false', 'False', 'FALSE'].map((text) => [text, 0] as const),
]);
const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const whole = /^([+-]?\d{1,40})(?:\.0*)?$/;

/** Reads CSV with a header (RFC 4180; blank lines are passed over). The body is valid UTF-8. */
export function readCsv(body: Buffer, table: TableReader): void {
  const cells = new CsvCells(body);
  if (!cells.startLine()) throw servingErrors.REQUEST_MALFORMED('the body is empty; its first line names the columns');
  const names: string[] = [];
  do names.push(cells.text());
  while (cells.hasMore);
  const header = table.readHeader(names);
  if (header === undefined)
    throw servingErrors.REQUEST_MALFORMED('the model takes lists of any length, which CSV does not carry; send JSON');
  for (const target of header)
    if (target !== undefined && target.offset < 0 && table.valuesOf(target).planned.width !== 1)
      throw servingErrors.REQUEST_MALFORMED(`"${target.name}" takes lists, which CSV does not carry; send JSON`);
  while (cells.startLine()) {
    let position = 0;
    do {
      if (position === header.length) throw table.wrongCells(header, 'more');
      const target = header[position];
      position += 1;
      if (target === undefined) cells.skip();
      else {
        const values = table.valuesOf(target);
        const isQuoted = cells.isQuoted();
        setCell(values, table.placeOf(target, values), cells.text(), isQuoted);
      }
    } while (cells.hasMore);
    if (position !== header.length) throw table.wrongCells(header, String(position));
    table.rows += 1;
  }
}

function setCell(values: InputValues, index: number, text: string, isQuoted: boolean): void {
  if (values.kind === 'text') return text === '' && !isQuoted ? values.setNull(index) : values.setText(index, text);
  const trimmed = text.trim();
  if (noNumber.has(trimmed)) return values.setNull(index);
  const flag = flags.get(trimmed);
  if (flag !== undefined) return values.setNumber(index, flag);
  if (values.kind === 'long') {
    const digits = whole.exec(trimmed)?.[1];
    if (digits !== undefined) return values.setLong(index, BigInt(digits.replace('+', '')));
  }
  if (!number.test(trimmed)) throw values.refuse('a text', index);
  values.setNumber(index, Number(trimmed));
}

/** Cells one after the other, each a slice of the body. */
class CsvCells {
  /** Whether the line goes on behind the cell that was taken last. */
  hasMore = false;
  private at: number;
  private readonly body: Buffer;

  constructor(body: Buffer) {
    this.body = body;
    this.at = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0; // a byte order mark
  }

  /** Goes to the next line that is not blank; false at the end. */
  startLine(): boolean {
    while (this.body[this.at] === lineFeed || this.body[this.at] === carriageReturn) this.at += 1;
    return this.at < this.body.length;
  }

  isQuoted(): boolean {
    return this.body[this.at] === quote;
  }

  text(): string {
    const { body } = this;
    const start = this.at;
    if (body[start] !== quote) {
      this.skip();
      const end = this.hasMore ? this.at - 1 : this.at;
      return body.toString('utf8', start, end);
    }
    let text = '';
    let from = start + 1;
    for (;;) {
      const end = body.indexOf(quote, from);
      if (end < 0) throw servingErrors.REQUEST_MALFORMED('a quoted cell has no end');
      text += body.toString('utf8', from, end);
      this.at = end + 1;
      if (body[this.at] !== quote) break;
      text += '"';
      from = end + 2;
    }
    this.endCell();
    return text;
  }

  skip(): void {
    const { body } = this;
    if (body[this.at] === quote) {
      this.text();
      return;
    }
    for (let byte = body[this.at]; byte !== undefined; byte = body[this.at]) {
      if (byte === comma || byte === lineFeed || byte === carriageReturn) break;
      this.at += 1;
    }
    this.endCell();
  }

  private endCell(): void {
    const byte = this.body[this.at];
    this.hasMore = byte === comma;
    if (byte === comma) this.at += 1;
    else if (byte !== undefined && byte !== lineFeed && byte !== carriageReturn)
      throw servingErrors.REQUEST_MALFORMED('a quoted cell is followed by more than a comma or the end of the line');
  }
}
