/** One member of an object, and where it stands in the text. */
export interface Member {
  readonly name: string
  readonly start: number
  /** The value is the text from `value` up to `end`. */
  readonly value: number
  readonly end: number
  /** Where the comma after it stands, if there is one. */
  readonly comma: number | null
}

/** The members of the object whose brace stands at `from`, or after it. The text is JSON, with or without comments. */
export function members(text: string, from = 0): Member[] {
  const found: Member[] = []
  const tokens = significant(text, from)
  let depth = 0
  for (const [index, { token, at }] of tokens.entries()) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && tokens[index + 1]?.token === ':')
      found.push({ name: JSON.parse(token), start: at, value: tokens[index + 2]!.at, end: 0, comma: null })
    const last = found.at(-1)
    if (depth === 1 && token === ',') found[found.length - 1] = { ...last!, comma: at }
    else if (depth === 1 && last && at >= last.value) found[found.length - 1] = { ...last, end: at + token.length }
    if (depth === 0) break
  }
  return found
}

/** All but space and comments. */
function significant(text: string, from: number) {
  return [...text.slice(from).matchAll(TOKEN)]
    .filter(([token]) => !/^(\s|\/[/*])/.test(token))
    .map(({ 0: token, index }) => ({ token, at: from + index }))
}

const TOKEN = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:/]+/g

/** The member that counts where a name stands more than once. @returns `null` when there is none */
export function member(text: string, from: number, name: string): Member | null {
  return members(text, from).findLast((found) => found.name === name) ?? null
}

/** Adds a member at the head of the object whose brace stands at `from`, or after it. `remove` undoes it to the byte. */
export function insert(text: string, from: number, name: string, value: string): string {
  const at = significant(text, from)[0]!.at + 1
  const comma = members(text, from).length > 0 ? ',' : ''
  return `${text.slice(0, at)}\n  ${JSON.stringify(name)}: ${value}${comma}${text.slice(at)}`
}

/** Takes a member out, with its comma and the space before it. */
export function remove(text: string, from: number, name: string): string {
  const all = members(text, from)
  const index = all.findLastIndex((found) => found.name === name)
  const { start, end, comma } = all[index]!
  const head = text.slice(0, start).replace(/(?<=[{,])\s+$/, '')
  if (comma !== null) return head + text.slice(end, comma) + text.slice(comma + 1)
  const before = all[index - 1]?.comma ?? null
  return (before === null ? head : head.slice(0, before) + head.slice(before + 1)) + text.slice(end)
}

/** Gives the member another value. */
export function replace(text: string, { value, end }: Member, by: string): string {
  return text.slice(0, value) + by + text.slice(end)
}
