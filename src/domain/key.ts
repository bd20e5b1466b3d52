const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 32 bytes, so 256 bits, as base62. */
const SECRET_LENGTH = 43
const CHECKSUM_LENGTH = 6
const PREFIX = 'till_'
const KEY = /^till_[0-9A-Za-z]{49}$/

/** The bytes of randomness in a key. */
export const KEY_BYTES = 32

/**
 * The text that a job holds: `till_`, 43 base62 digits of randomness, 6 of CRC-32 over what stands before them.
 *
 * @param random 32 bytes from a cryptographic source
 */
export function formatKey(random: Uint8Array): string {
  if (random.length !== KEY_BYTES) throw new RangeError(`expected ${KEY_BYTES} random bytes, got ${random.length}`)
  const body = PREFIX + base62(random, SECRET_LENGTH)
  return body + checksum(body)
}

/** Whether the text is a key by its form and checksum, so that typing errors need no lookup. */
export function isKey(text: string): boolean {
  return KEY.test(text) && text.endsWith(checksum(text.slice(0, -CHECKSUM_LENGTH)))
}

/**
 * The public name of a grant: `k_` and 22 base62 digits.
 *
 * @param random 16 bytes
 */
export function formatKeyId(random: Uint8Array): string {
  if (random.length !== 16) throw new RangeError(`expected 16 random bytes, got ${random.length}`)
  return `k_${base62(random, 22)}`
}

export const KEY_ID = /^k_[0-9A-Za-z]{22}$/

/** Big-endian base62 of the bytes, padded with zeros on the left to `length` digits. */
export function base62(bytes: Uint8Array, length: number): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  let text = ''
  for (let i = 0; i < length; i++) {
    text = ALPHABET[Number(value % 62n)] + text
    value /= 62n
  }
  return text
}

function checksum(text: string): string {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  let value = ~crc >>> 0
  let digits = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = ALPHABET[value % 62] + digits
    value = Math.floor(value / 62)
  }
  return digits
}
