/**
 * What the operator's file calls a value: text compared code unit by code unit, in which `*` stands for characters of
 * one `/` segment and a last segment `**` for one or more segments. A segment that is `*` alone is not empty, nor is
 * one that `**` stands for. There are no regular expressions, and no case folding.
 */
export type Pattern = string

/** Whether the whole of `value` is what `pattern` describes. Takes time linear in both, whatever they hold. */
export function matches(pattern: Pattern, value: string): boolean {
  if (!pattern.includes('*')) return pattern === value
  const wanted = pattern.split('/')
  const given = value.split('/')
  const isOpen = wanted.at(-1) === '**'
  const fixed = isOpen ? wanted.length - 1 : wanted.length
  if (isOpen ? given.length <= fixed : given.length !== fixed) return false
  for (let i = 0; i < fixed; i++) if (!segmentMatches(wanted[i]!, given[i]!)) return false
  return given.slice(fixed).every((segment) => segment !== '')
}

/** Whether every value that `narrow` describes is also one that `wide` describes. */
export function covers(wide: Pattern, narrow: Pattern): boolean {
  if (wide === narrow) return true
  if (!narrow.includes('*')) return matches(wide, narrow)
  const outer = wide.split('/')
  const inner = narrow.split('/')
  const isOpen = outer.at(-1) === '**'
  const fixed = isOpen ? outer.length - 1 : outer.length
  if (isOpen ? inner.length <= fixed : inner.length !== fixed) return false
  // What `**` stands for has no fixed number of segments, so only another `**` can be as long.
  if (inner.at(-1) === '**' && !isOpen) return false
  // A `*` of the narrow one is a character like any other here, which only a `*` of the wide one can stand for.
  for (let i = 0; i < fixed; i++) if (!segmentMatches(outer[i]!, inner[i]!)) return false
  return inner.slice(fixed).every((segment) => segment !== '')
}

/** The pieces between the stars, each looked for once, from left to right: nothing is ever tried again. */
function segmentMatches(pattern: string, text: string): boolean {
  const pieces = pattern.split('*')
  if (pieces.length === 1) return pattern === text
  if (pieces.every((piece) => piece === '')) return text !== ''
  const first = pieces[0]!
  const last = pieces.at(-1)!
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    at = endOf(piece, text, at, end)
    if (at < 0) return false
  }
  return true
}

/**
 * Where the first occurrence of `piece` between `from` and `end` ends, or -1. Knuth, Morris and Pratt's search: a job
 * may choose both, and `indexOf` takes the product of their lengths at worst.
 */
function endOf(piece: string, text: string, from: number, end: number): number {
  if (piece === '') return from
  const fallback = [0]
  for (let i = 1, matched = 0; i < piece.length; i++) {
    while (matched > 0 && piece[i] !== piece[matched]) matched = fallback[matched - 1]!
    if (piece[i] === piece[matched]) matched++
    fallback.push(matched)
  }
  for (let i = from, matched = 0; i < end; i++) {
    while (matched > 0 && text[i] !== piece[matched]) matched = fallback[matched - 1]!
    if (text[i] === piece[matched]) matched++
    if (matched === piece.length) return i + 1
  }
  return -1
}
