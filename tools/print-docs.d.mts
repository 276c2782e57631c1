/** Each printed page by its path. */
export function printDocs(folder: string, extension: '.js' | '.ts'): Promise<Readonly<Record<string, string>>>;
