/** What is wrong with the template or its data, for the person who wrote it. */
export class TemplateError extends Error {
  constructor(message, line) {
    super(line === undefined ? message : `line ${line}: ${message}`);
  }
}
