/**
 * Text of somebody else, fit for a line of the log: one line, no control or direction characters, nothing that the
 * runner takes for a command (`::` and `##[`, anywhere in a line), cut to a length.
 */
export function printable(text: string, most = 600): string {
  const line = text
    .toWellFormed()
    .replace(UNPRINTABLE, '\ufffd')
    .replace(/:(?=:)/g, ': ')
    .replace(/##(?=\[)/g, '## ')
  return line.length > most ? `${line.slice(0, most - 1).toWellFormed()}…` : line
}

/** Control characters, line and paragraph separators, what is not seen, and bidirectional formatting (CVE-2021-42574). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu
