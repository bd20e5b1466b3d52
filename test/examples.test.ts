import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parseConfig } from '#config.ts'

const files = readdirSync('examples/brokers').map((file) => `examples/brokers/${file}`)
const env = { OPENAI_API_KEY: 'sk-a', ANTHROPIC_API_KEY: 'sk-b', BILLING_TOKEN: 'c' }
const readFile = (path: string) => readFileSync(path, 'utf8')

test.each(files)('%s is a configuration that starts', (file) => {
  const config = parseConfig(readFile(file), { file: resolve(file), env, readFile })
  expect(config).not.toBeInstanceOf(Array)
})

test('the configuration in the README starts', () => {
  const [, source] = /```yaml\n(public_url:[\s\S]*?)```/.exec(readFile('README.md'))!
  expect(parseConfig(source!, { file: resolve('till.yaml'), env, readFile })).not.toBeInstanceOf(Array)
})
