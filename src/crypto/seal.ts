import sodium from 'libsodium-wrappers'

const VERSION = 1
export const MASTER_KEY_BYTES = 32
const NONCE_BYTES = 24
const TAG_BYTES = 16
const DATA_KEY_BYTES = 32
const WRAPPED_KEY_END = 1 + NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES
const SHORTEST = WRAPPED_KEY_END + NONCE_BYTES + TAG_BYTES

/** Seals records so that a stolen database is of no use without the master key (SECURITY, T36). */
export interface Sealer {
  /**
   * @param name the record's full identity, such as `credential|openai|https://api.openai.com`. What was sealed under
   *   one name opens under no other, so that rows cannot be swapped (T37)
   */
  seal(name: string, plain: Uint8Array): Uint8Array
  /**
   * @returns the bytes that were sealed; wipe them after use
   * @throws {SealError} when they were sealed under another master key or name, or were changed
   */
  open(name: string, sealed: Uint8Array): Uint8Array
  /** Overwrites the master key. Nothing can be sealed or opened afterwards. */
  wipe(): void
}

/** A record that does not open. The message says what to do and holds nothing of the record. */
export class SealError extends Error {
  override readonly name = 'SealError'
}

/**
 * XChaCha20-Poly1305, with a data key of its own for each record:
 *
 *     version (1) | nonce (24) | data key, sealed by the master key (32 + 16) | nonce (24) | record, sealed by the data key (n + 16)
 *
 * The master key thus seals 32 random bytes only, and a new master key has to seal only these again.
 *
 * @param masterKey 32 bytes; copied, so that the caller can wipe its own
 */
export async function sealer(masterKey: Uint8Array): Promise<Sealer> {
  await sodium.ready
  if (masterKey.length !== MASTER_KEY_BYTES)
    throw new SealError(`Cannot use the master key: expected ${MASTER_KEY_BYTES} bytes, got ${masterKey.length}.`)
  const key = Uint8Array.from(masterKey)
  let wiped = false
  const theKey = () => {
    if (wiped) throw new SealError('Cannot use the master key: it was wiped when the broker closed.')
    return key
  }

  return {
    seal(name, plain) {
      const dataKey = sodium.randombytes_buf(DATA_KEY_BYTES)
      try {
        const wrapped = lock(dataKey, `${context(name)}|key`, theKey())
        const body = lock(plain, context(name), dataKey)
        return Buffer.concat([Uint8Array.of(VERSION), wrapped, body])
      } finally {
        sodium.memzero(dataKey)
      }
    },
    open(name, sealed) {
      if (sealed.length < SHORTEST || sealed[0] !== VERSION)
        throw new SealError(
          `Cannot open the record "${name}": it is not a sealed record of version ${VERSION}. Restore it from a backup, or start the Till that wrote it.`,
        )
      const dataKey = unlock(sealed.subarray(1, WRAPPED_KEY_END), `${context(name)}|key`, theKey())
      if (!dataKey)
        throw new SealError(
          `Cannot open the record "${name}": it was sealed under another master key or name, or it was changed. Set master_key to the key that this database was written with, or restore the record from a backup.`,
        )
      try {
        const plain = unlock(sealed.subarray(WRAPPED_KEY_END), context(name), dataKey)
        if (!plain)
          throw new SealError(
            `Cannot open the record "${name}": its contents were changed. Restore it from a backup, or write it again.`,
          )
        return plain
      } finally {
        sodium.memzero(dataKey)
      }
    },
    wipe() {
      wiped = true
      sodium.memzero(key)
    },
  }
}

const context = (name: string) => `till|v1|${name}`

function lock(plain: Uint8Array, associated: string, key: Uint8Array): Uint8Array {
  const nonce = sodium.randombytes_buf(NONCE_BYTES)
  const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, associated, null, nonce, key)
  return Buffer.concat([nonce, sealed])
}

/** `null` when the key, the associated data or a byte is another. */
function unlock(locked: Uint8Array, associated: string, key: Uint8Array): Uint8Array | null {
  const nonce = locked.subarray(0, NONCE_BYTES)
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, locked.subarray(NONCE_BYTES), associated, nonce, key)
  } catch {
    return null
  }
}
