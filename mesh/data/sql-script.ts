// Text in which a semicolon means nothing, and then anything else. Unclosed quotes and comments run to the end.
const tokens = [
  /'(?:[^'\\]|\\.|'')*'?/, // 'it''s', 'it\'s'
  /"(?:[^"\\]|\\.|"")*"?/,
  /`(?:[^`]|``)*`?/,
  /--(?=\s|$)[^\n]*/, // "--" is a comment only before white space
  /#[^\n]*/,
  /\/\*.*?(?:\*\/|$)/s,
  /;/,
  /./s,
];
const token = new RegExp(tokens.map((part) => part.source).join("|"), "gs");
const comment = /^(?:--|#|\/\*(?![!M]))/;

/** Splits an SQL script into statements at its semicolons, without comments. Knows no DELIMITER. */
export function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let statement = "";
  for (const [part] of script.matchAll(token)) {
    if (part === ";") {
      statements.push(statement);
      statement = "";
    } else {
      statement += part.length > 1 && comment.test(part) ? " " : part;
    }
  }
  statements.push(statement);
  return statements.map((text) => text.trim()).filter((text) => text !== "");
}
