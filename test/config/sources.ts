import { generateKeyPairSync } from 'node:crypto'
import { resolve } from 'node:path'
import type { ConfigSources } from '#config.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** Stands for every secret that a file may hold in the wrong place, or name: no problem may show it. */
export const SECRET = 'sk-live-0123456789'

const ENV: NodeJS.ProcessEnv = {
  GOOD: SECRET,
  EMPTY: '',
  TWO_LINES: `${SECRET}\nx-admin: 1`,
  WITH_BLANK: `Bearer ${SECRET}`,
  NOT_ASCII: `${SECRET}é`,
  TOO_LONG: SECRET.repeat(500),
  OPENAI_API_KEY: SECRET,
  TILL_WEBHOOK_SECRET: SECRET,
  TILL_MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
}

const FILES: Readonly<Record<string, string>> = {
  '/run/secrets/anthropic': `${SECRET}\n`,
  '/run/secrets/two-lines': `${SECRET}\n\n`,
  '/run/secrets/empty': '\n',
  '/run/secrets/till-app.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  '/etc/till/openai.key': `${SECRET}\r\n`,
}

/** Where the tests' configurations find what they name. */
export const sources: ConfigSources = {
  file: '/etc/till/till.yaml',
  env: ENV,
  readFile(path) {
    if (path === '/run/secrets/forbidden') throw Object.assign(new Error(SECRET), { code: 'EACCES' })
    const text = FILES[resolve(path)]
    if (text === undefined) throw Object.assign(new Error(SECRET), { code: 'ENOENT' })
    return text
  },
}
