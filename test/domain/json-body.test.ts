import { describe, expect, test } from 'vitest'
import { modelInBody } from '#domain/json-body.ts'

describe('a body that chooses models by more than "model" is refused', () => {
  test.each([
    ["OpenRouter's and Perplexity's list to fall back to", '{"model":"cheap","models":["dear"]}'],
    ['the same, escaped', '{"model":"cheap","\\u006dodels":["dear"]}'],
    ['the same, in another case', '{"model":"cheap","Models":["dear"]}'],
    ['a choice that is stored with the provider', '{"preset":"dear","model":"cheap"}'],
  ])('%s', (_, text) => {
    expect(modelInBody(text)).toMatchObject({ kind: 'refused' })
  })

  test('a member of that name deeper down is data', () => {
    expect(modelInBody('{"model":"cheap","metadata":{"models":"x","preset":"y","model":"z"}}')).toEqual({
      kind: 'model',
      model: 'cheap',
    })
  })
})
