/**
 * The word that was probably meant.
 *
 * @returns ` (did you mean "…"?)`, or nothing when no word is near: at most two letters added, lost, changed or
 *   swapped, and not more than a third of it
 */
export function nearest(word: string, known: Iterable<string>): string {
  if (word.length > 60) return ''
  let best: string | null = null
  let least = Math.min(2, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const distance = plain(candidate) === plain(word) ? 0 : edits(word, candidate)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best === null ? '' : ` (did you mean "${best}"?)`
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, '')
}

/** Damerau-Levenshtein distance, with adjacent letters swapped once at most (optimal string alignment). */
function edits(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = rows[i - 1]![j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      let cost = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, changed)
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        cost = Math.min(cost, rows[i - 2]![j - 2]! + 1)
      row.push(cost)
    }
    rows.push(row)
  }
  return rows[from.length]![to.length]!
}
