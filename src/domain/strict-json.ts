const MOST_DEPTH = 64

/**
 * Reads one JSON object in which no member stands twice (RFC 7515, section 4; RFC 7519, section 4), so that no two
 * readers can take different values from it.
 *
 * @returns `null` for anything else, for depths over 64 and for strings with lone surrogates
 */
export function strictJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return members(value, MOST_DEPTH) === membersWritten(text) ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** In a valid JSON text every colon outside a string is one member. */
function membersWritten(text: string): number {
  return text.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1
}

/** `JSON.parse` keeps one of equal names (`__proto__` is a name like any other), so fewer are found than were written. */
function members(value: unknown, depth: number): number {
  if (typeof value === 'string' && !value.isWellFormed()) throw new TypeError('lone surrogate')
  if (typeof value !== 'object' || value === null) return 0
  if (depth === 0) throw new RangeError('too deep')
  const names = Array.isArray(value) ? [] : Object.keys(value)
  return Object.values(value).reduce((count: number, member) => count + members(member, depth - 1), names.length)
}
