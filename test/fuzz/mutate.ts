import fc from 'fast-check'

/** What is done to a text: where (a part of its length), and what. */
type Mutation = (text: string) => string

/**
 * Texts near a corpus: each is one of its entries after a few mutations. Most random bytes are refused at the first look;
 * what is nearly right goes further.
 *
 * @param dictionary pieces that mean something to what is attacked
 */
export function near(corpus: readonly string[], dictionary: readonly string[]): fc.Arbitrary<string> {
  const mutations = fc.array(mutation([...dictionary, ...COMMON], corpus), { maxLength: 5 })
  return fc
    .tuple(fc.constantFrom(...corpus), mutations)
    .map(([text, list]) => list.reduce((mutated, mutate) => mutate(mutated), text))
}

/** What parsers stumble over, wherever it stands. */
const COMMON = [
  '\0',
  '\r\n',
  '\n',
  '\t',
  ' ',
  '%',
  '%00',
  '..',
  '/',
  '\\',
  '"',
  "'",
  ',',
  ':',
  ';',
  '=',
  '\u00ff',
  '{',
  '}',
  '[',
  ']',
]

function mutation(dictionary: readonly string[], corpus: readonly string[]): fc.Arbitrary<Mutation> {
  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const at = (text: string, part: number) => Math.floor(part * text.length)
  return fc.oneof(
    fc.tuple(place, fc.constantFrom(...dictionary)).map(([part, piece]) => (text: string) => {
      const i = at(text, part)
      return text.slice(0, i) + piece + text.slice(i)
    }),
    fc.tuple(place, fc.nat(0xff)).map(([part, code]) => (text: string) => {
      const i = at(text, part)
      return text.slice(0, i) + String.fromCharCode(code) + text.slice(i + 1)
    }),
    fc.tuple(place, fc.nat(8)).map(([part, length]) => (text: string) => {
      const i = at(text, part)
      return text.slice(0, i) + text.slice(i + length)
    }),
    fc.tuple(place, fc.integer({ min: 1, max: 40 }), place).map(([from, length, to]) => (text: string) => {
      const piece = text.slice(at(text, from), at(text, from) + length)
      return text.slice(0, at(text, to)) + piece + text.slice(at(text, to))
    }),
    fc.tuple(fc.constantFrom(...corpus), place, place).map(
      ([other, mine, theirs]) =>
        (text: string) =>
          text.slice(0, at(text, mine)) + other.slice(at(other, theirs)),
    ),
    place.map((part) => (text: string) => {
      const i = at(text, part)
      const letter = text.charAt(i)
      const other = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()
      return text.slice(0, i) + other + text.slice(i + 1)
    }),
  )
}
