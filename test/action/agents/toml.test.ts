import { expect, test } from 'vitest'
import { statements } from '#action/agents/toml.ts'

const hard = `# a comment
title = "a \\" quote # no comment" # a comment
'quoted key' = 'C:\\no\\escape'
"model_provider" = "azure"
site."google.com" = true
list = [
  "a", # ]
  [1, 2], { x = "]" },
]
text = """
[not.a.table]
model_provider = "no"
\\""" still """""
literal = '''
[model_providers.till]
'''
date = 1979-05-27T07:32:00Z

[ model_providers . azure ]
name = "Azure"
[[products]]
name = "x"
[model_providers.till]
base_url = "old"
[model_providers.till.query_params]
v = "1"
[profiles.x]
model_provider = "azure"`

test('statements make up the whole text again', () => {
  expect(
    statements(hard)!
      .map(({ text }) => text)
      .join(''),
  ).toBe(hard)
})

test('statements know their table and key, through strings, brackets and comments', () => {
  expect(
    statements(hard)!
      .filter(({ key }) => key !== null)
      .map(({ table, key }) => [...table, '|', ...key!].join(' ')),
  ).toEqual([
    '| title',
    '| quoted key',
    '| model_provider',
    '| site google.com',
    '| list',
    '| text',
    '| literal',
    '| date',
    'model_providers azure | name',
    'products | name',
    'model_providers till | base_url',
    'model_providers till query_params | v',
    'profiles x | model_provider',
  ])
})

test.each(['x', 'x =', 'x = "', 'x = [1', 'x = """', '[a', '= 1', 'x = 1]', 'x = "a\nb"'])('%j is not TOML', (text) => {
  expect(statements(text)).toBeNull()
})
