/**
 * What the operator's file calls a value: text compared code unit by code unit, in which `*` stands for characters of
 * one `/` segment and a last segment `**` for one or more segments. A segment that is `*` alone is not empty.
 * There are no regular expressions, and no case folding.
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
  return !isOpen || given.slice(fixed).every((segment) => segment !== '')
}

/**
 * Whether every value that `narrow` describes is also one that `wide` describes. Conservative: `true` is certain,
 * `false` may be said of two patterns that only a search could compare.
 */
export function covers(wide: Pattern, narrow: Pattern): boolean {
  if (wide === narrow) return true
  if (!narrow.includes('*')) return matches(wide, narrow)
  const outer = wide.split('/')
  const inner = narrow.split('/')
  const isOpen = outer.at(-1) === '**'
  const fixed = isOpen ? outer.length - 1 : outer.length
  if (isOpen ? inner.length <= fixed : inner.length !== fixed) return false
  for (let i = 0; i < fixed; i++) if (!segmentCovers(outer[i]!, inner[i]!)) return false
  return true
}

function segmentCovers(wide: string, narrow: string): boolean {
  if (narrow === '**') return false
  if (wide === narrow || wide === '*') return narrow !== ''
  return !narrow.includes('*') && segmentMatches(wide, narrow)
}

/** Greedy matching with one point to fall back to: the classic wildcard walk, without recursion. */
function segmentMatches(pattern: string, text: string): boolean {
  if (pattern === '*') return text !== ''
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = t
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
