/**
 * A value that somebody else chose, as a code span that stays one: GitHub reads nothing in it, not a mention, an issue,
 * a link, an image, HTML or the border of a cell. The characters with which those begin are replaced by ones that look
 * like them, so that the text is as harmless where the span is lost.
 */
export function code(value: string): string {
  const text = cut(value, 120)
    .toWellFormed()
    .replace(UNSEEN, '�')
    .replace(/[`@#<|]/g, (character) => LOOKALIKE[character]!)
    .replace(/:(?=\/\/)/g, '∶')
    .trim()
  return text === '' ? '–' : `\`${text}\``
}

const LOOKALIKE: Readonly<Record<string, string>> = { '`': 'ˋ', '@': '＠', '#': '＃', '<': '‹', '|': '¦' }

/**
 * Controls, line breaks, and what is not seen or changes the direction of reading; tag characters too, in which text is
 * hidden that a person does not see and a model reads.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** At most that many UTF-16 code units. */
export function cut(value: string, most: number): string {
  return value.length > most ? `${value.slice(0, most - 1)}…` : value
}

/** Cells are Markdown: whoever calls has made them safe. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
