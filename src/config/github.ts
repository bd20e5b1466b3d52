import { createPrivateKey } from 'node:crypto'
import type { GitHubSettings } from '#config.ts'
import { type Reader, whole } from './place.ts'
import { type SecretSources, secret } from './secret.ts'
import { url, word } from './values.ts'

const DEFAULT_API_URL = 'https://api.github.com'

/** Reads `github:`: a webhook, an App, or both. */
export function githubFrom(sources: SecretSources): Reader<GitHubSettings> {
  return (at) => {
    const fields = at.fields(['webhook_secret', 'app_id', 'private_key', 'api_url'])
    if (!fields) return undefined
    const settings = whole<GitHubSettings>({
      webhookSecret: fields.take('webhook_secret', secret(sources), null),
      appId: fields.take('app_id', appId, null),
      privateKey: fields.take('private_key', privateKeyFrom(sources), null),
      apiUrl: fields.take('api_url', apiUrl, DEFAULT_API_URL),
    })
    const has = (name: string) => fields.get(name) !== undefined
    if (has('app_id') !== has('private_key'))
      return at.refuse('app_id and private_key belong together: a GitHub App needs both')
    if (!has('app_id') && !has('webhook_secret'))
      return at.refuse('expected webhook_secret, or app_id with private_key; leave github out if you have neither')
    return settings
  }
}

const appId = word(/^[0-9]{1,20}$/, 'the id of a GitHub App: digits in quotes, such as "123"')

function privateKeyFrom(sources: SecretSources): Reader<string> {
  const read = secret(sources)
  return (at) => {
    const pem = read(at)
    if (pem === undefined || !sources.areRead) return pem
    try {
      if (createPrivateKey(pem).asymmetricKeyType === 'rsa') return pem
    } catch {
      // What OpenSSL says of a broken key may quote it.
    }
    return at.refuse('expected the private key of a GitHub App: RSA, in PEM form')
  }
}

const apiUrl: Reader<string> = (at) => {
  const read = url(at)
  return read && read.origin + read.path
}
