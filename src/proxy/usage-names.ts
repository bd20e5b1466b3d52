import { type UsageForm, usageForms } from './usage-forms.ts'

/** Tokens as the provider counts them; `null` where it says nothing. */
export interface Tokens {
  readonly input: number | null
  readonly output: number | null
}

/** Each member that counts has its number: those of the forms in order, input before output. */
const { inputs: INPUTS, outputs: OUTPUTS, paths: PATHS, howMany: HOW_MANY } = numbered(usageForms)
export const NO_COUNTS: readonly (number | null)[] = new Array(HOW_MANY).fill(null)

function numbered(forms: readonly UsageForm[]) {
  const inputs: number[][] = []
  const outputs: number[][] = []
  const paths: { readonly names: readonly string[]; readonly count: number }[] = []
  let howMany = 0
  for (const { at, input, output } of forms) {
    for (const [side, members] of [[inputs, input] as const, [outputs, output] as const])
      side.push(
        members.map((member) => {
          for (const place of at) paths.push({ names: [...place.split('.'), member], count: howMany })
          return howMany++
        }),
      )
  }
  return { inputs, outputs, paths, howMany }
}

/**
 * All names at once, one step a byte, so that a split within a name is no special case. A row is what has been read of
 * a name in one kind of object; its columns give the row after each letter, then the row where the names of its value
 * begin, the number of its count plus one, and, where names begin, the row of the object around. 0 is none. Row 0 is a
 * name that leads nowhere, and stays it.
 */
export const usageNames = compile()

function compile() {
  const column = new Uint8Array(256)
  let columns = 1
  for (const { names } of PATHS) for (const byte of Buffer.from(names.join(''))) column[byte] ||= columns++
  const opens = columns
  const counts = columns + 1
  const around = columns + 2
  const width = columns + 3
  const table: number[] = []
  const newRow = () => {
    const row = table.length
    for (let i = 0; i < width; i++) table.push(0)
    return row
  }
  newRow()
  const answer = newRow()
  const stepOf = (row: number, to: number) => {
    if (table[row + to] === 0) table[row + to] = newRow()
    return table[row + to]!
  }
  for (const { names, count } of PATHS) {
    let object = answer
    let row = answer
    for (const [depth, name] of names.entries()) {
      if (depth > 0) {
        row = stepOf(row, opens)
        table[row + around] = object
        object = row
      }
      for (const byte of Buffer.from(name)) row = stepOf(row, column[byte]!)
    }
    table[row + counts] = count + 1
  }
  return { names: Uint32Array.from(table), column, opens, counts, around, answer }
}

/** @param counts by the number of each member; `null` when none was read */
export function tokensOf(counts: readonly (number | null)[] | null): Tokens {
  return counts ? { input: told(INPUTS, counts), output: told(OUTPUTS, counts) } : NOTHING
}

/** What the first form says that says anything. */
function told(side: readonly (readonly number[])[], counts: readonly (number | null)[]): number | null {
  for (const members of side) {
    let sum: number | null = null
    for (const member of members) if (counts[member] != null) sum = (sum ?? 0) + counts[member]
    if (sum !== null) return sum
  }
  return null
}

const NOTHING: Tokens = { input: null, output: null }
