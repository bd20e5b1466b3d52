import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { configured, edit } from './folder.ts'
import { runTill } from './run-till.ts'

test('till check warns of a policy without claims.iss where there are several issuers: ids are unique within one', async () => {
  const cwd = configured()
  const file = join(cwd, 'till.yaml')
  const config = parse(readFileSync(file, 'utf8'))
  const check = async (issuers: readonly string[], claims?: object) => {
    const policies = config.policies.map((policy: object) => ({ ...policy, ...(claims && { claims }) }))
    writeFileSync(file, stringify({ ...config, issuers, policies }))
    const { status, stdout } = await runTill(['check'], { cwd, env: { OPENAI_API_KEY: 'sk-test' } })
    expect(status).toBe(0)
    return stdout.includes('warning: policy ')
  }
  const [one, two] = ['https://token.actions.githubusercontent.com', 'https://ghes.example.com/_services/token']
  expect(await check([one])).toBe(false)
  expect(await check([one, two])).toBe(true)
  expect(await check([one, two], { iss: one })).toBe(false)
})

test('till check ends at what has no end: a device as the file of a secret, and as the configuration', async () => {
  const cwd = configured()
  const file = join(cwd, 'till.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('env:OPENAI_API_KEY', 'file:/dev/zero'))
  const secret = await runTill(['check'], { cwd })
  expect([secret.status, secret.stderr]).toEqual([1, expect.stringContaining('expected a regular file')])
  const whole = await runTill(['check', '--config', '/dev/zero'], { cwd })
  expect([whole.status, whole.stderr]).toEqual([1, expect.stringContaining('expected a regular file')])
})

test.each([
  ['!!str 101', 0],
  ['!mine "101"', 1],
])("till check of %s: tags of YAML's core schema are read, others refused: status %i", async (id, status) => {
  const cwd = configured()
  edit(join(cwd, 'till.yaml'), 'repository_id: "101"', `repository_id: ${id}`)
  expect(await runTill(['check'], { cwd, env: { OPENAI_API_KEY: 'sk-test' } })).toMatchObject({ status })
})
