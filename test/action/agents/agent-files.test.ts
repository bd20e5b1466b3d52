import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codex } from '#action/agents/codex.ts'
import { geminiCli } from '#action/agents/gemini-cli.ts'
import type { Ours } from '#action/agents/ours.ts'
import { statements } from '#action/agents/toml.ts'

const config = codex.file!
const settings = geminiCli.file!

const job = (key: string) => ({ key, base: `https://till.example.com/${key}/v1`, alive: `/_temp/${key}`, expires: 1e9 })
const ours: Ours = { made: 'file', jobs: [job('k_aaaa'), job('k_bbbb')] }

const hard = `# a comment
#till- a comment of the user's
  "model_provider" = """
azure"""
site."google.com" = true
text = """
[not.a.table]
model_provider = "no"
#till- no
"""

[ model_providers . azure ]
name = "Azure"
[model_providers.till]
base_url = "old"

# of theirs
[model_providers.till.query_params]
v = "1"
[profiles.x]
model_provider = "azure"`

test('codex: of the user only the choice of a provider and a provider till are left out, as comments', () => {
  const text = config.write(hard, ours)
  const values = (of: string) => statements(of)!.filter(({ key }) => key !== null)
  expect(
    values(text).map(({ table, key }) => [...table, ...key!].join('.')),
    'each name once',
  ).toEqual([
    'model_provider',
    'site.google.com',
    'text',
    'model_providers.azure.name',
    'profiles.x.model_provider',
    ...['name', 'base_url', 'env_key', 'wire_api', 'supports_websockets'].map((key) => `model_providers.till.${key}`),
  ])
  expect(text).toContain('base_url = "https://till.example.com/k_bbbb/v1"\n')
})

const line = fc.constantFrom(
  ...statements(hard)!.map(({ text }) => text),
  'model_provider = "till"\n',
  'model_provider = "x"\r\n',
  '#till\n',
  '\n',
  '\r\n',
  '[[a]]\n',
  'b\xffd = 1\n',
)
const toml = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('', '# end', 'model_provider = "end"', '  '))
  .map(([lines, end]) => lines.join('') + end)
  .filter((text) => config.read(text) !== null)

test('codex: read(write(own, ours)) is own and ours', () => {
  expect(config.read(config.write(hard, ours))).toEqual({ own: hard, ours })
  fc.assert(fc.property(toml, (own) => void expect(config.read(config.write(own, ours))).toEqual({ own, ours })))
})

test('codex: whatever is appended meanwhile stays', () => {
  const added = fc.constantFrom('[projects."/work"]\ntrust_level = "trusted"\n', '\n# x\n[a]\nb = 1')
  fc.assert(
    fc.property(toml, added, (own, more) => {
      const after = config.read(config.write(own, ours) + more)!.own
      expect([own + more, `${own}\n${more}`]).toContain(after)
      expect(statements(after)).not.toBeNull()
    }),
  )
})

test('codex: a choice that was made meanwhile stays, and the former one does not come back', () => {
  const text = config.write('model_provider = "azure"\nx = 1\n', ours)
  const changed = text.replace('model_provider = "till"', 'model_provider = "other"')
  expect(config.read(changed)!.own).toBe('model_provider = "other"\nx = 1\n')
})

const space = fc.constantFrom('', ' ', '\n', '\r\n  ', '/* "x": { */', '// , }\n')
const json: fc.Arbitrary<string> = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(fc.constantFrom('1', 'null', '"a\\"{"', '[1, {"auth": 2}]', '"\xe4"'), tie('object')),
  object: fc
    .tuple(
      space,
      fc.array(
        fc.tuple(
          fc.constantFrom('a', 'security', 'auth', 'selectedType', 'secur\\u0069ty'),
          space,
          tie('value'),
          space,
        ),
        { maxLength: 3 },
      ),
    )
    .map(
      ([head, all]) =>
        `{${head}${all.map(([name, before, value, after]) => `${before}"${name}"${after}:${before}${value}${after}`).join(',')}}`,
    ),
})).object

test('gemini-cli: read(write(own, ours)) is own and ours', () => {
  const own = fc.tuple(space, json, space).map((parts) => parts.join(''))
  const readable = fc.oneof(
    own,
    own.map((text) => `{"security": {"auth": ${text}}}`),
    own.map((text) => `{"x": 1, "security" :${text}}`),
  )
  fc.assert(
    fc.property(
      readable.filter((text) => settings.read(text) !== null),
      (text) => {
        expect(settings.read(settings.write(text, ours))).toEqual({ own: text, ours })
      },
    ),
    { numRuns: 500 },
  )
})

test.each([
  ['{"security": {"auth": {"selectedType": "oauth"}}, "a": 1}', 'oauth'],
  ['{"a": 1}', undefined],
  ['{"security": {}, "a": 1}', undefined],
])(
  'gemini-cli: settings that were formatted anew and added to lose what was added, and nothing else (%s)',
  (own, type) => {
    const text = settings.write(own, ours)
    const changed = { ui: { theme: 'GitHub' }, ...JSON.parse(text) }
    expect(changed.security.auth.selectedType).toBe('gemini-api-key')
    const after = JSON.parse(settings.read(JSON.stringify(changed, null, 4))!.own)
    expect(after).toEqual({ ui: { theme: 'GitHub' }, ...JSON.parse(own) })
    expect(after.security?.auth?.selectedType).toBe(type)
    const last = Object.fromEntries(Object.entries(JSON.parse(text)).toReversed())
    expect(JSON.parse(settings.read(JSON.stringify(last))!.own)).toEqual(JSON.parse(own))
  },
)

test('gemini-cli: a way to log in that was chosen meanwhile stays', () => {
  const text = settings.write('{"security": {"auth": {"selectedType": "oauth"}}}', ours)
  const changed = text.replace('"gemini-api-key"', '"vertex-ai"')
  expect(JSON.parse(settings.read(changed)!.own)).toEqual({ security: { auth: { selectedType: 'vertex-ai' } } })
})

test.each([
  ['codex', config, config.write('', ours).replace('"made":"file"', '"made":"x"')],
  ['codex', config, config.write('', ours).replace('{"made"', 'no JSON')],
  ['gemini-cli', settings, settings.write('{}', ours).replace('"added":3', '"added":99')],
  ['gemini-cli', settings, settings.write('{}', ours).replace('"made":"file"', '"made":1')],
  ['gemini-cli', settings, '{"tillMint": null}'],
])('%s: a note that somebody changed throws nothing', (_, file, text) => {
  expect(() => file.read(text)).not.toThrow()
})
