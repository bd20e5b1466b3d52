/**
 * The same text in memory of its own. A part of a text keeps all of it, and the text of a head holds more than what is
 * kept of it: keys among them.
 *
 * @param part Latin-1
 */
export function ownText(part: string): string {
  return Buffer.from(part, 'latin1').toString('latin1')
}
