import { describe, expect, test } from 'vitest'
import { keepComment, NotKept } from '#comment/keep-comment.ts'
import type { Request } from '#comment/request.ts'
import { isPassing, whyNot } from '#comment/why-not.ts'

const MARKER = '<!-- marker -->'
const US = { id: 1, login: 'till[bot]', type: 'Bot' }

/** The comments of a pull request, and a place for a test to step in between two requests. */
function pullRequest() {
  const comments: { id: number; body: string; user: typeof US | null }[] = []
  const asked: string[] = []
  let nextId = 1
  const add = (body: string, user: typeof US | null = US) => {
    comments.push({ id: nextId, body, user })
    return nextId++
  }
  const missing = () => Object.assign(new Error('Not Found'), { status: 404 })
  const request: Request = async (route, parameters = {}) => {
    const method = route.split(' ')[0]!
    const { body, comment_id: id, page } = parameters as { body: string; comment_id: number; page: number }
    asked.push(method)
    const at = comments.findIndex((comment) => comment.id === id)
    if (method === 'GET') return { status: 200, data: structuredClone(comments.slice((page - 1) * 100, page * 100)) }
    if (method === 'POST') add(body)
    else if (at < 0) throw missing()
    else if (method === 'PATCH') comments[at]!.body = body
    else comments.splice(at, 1)
    return { status: 200, data: null }
  }
  const keep = (
    mine: string,
    { settle = async () => {}, looks = 8, hesitate = false }: Partial<Parameters<typeof keepComment>[0]> = {},
  ) =>
    keepComment({
      request,
      owner: 'acme',
      repo: 'web',
      number: 5,
      marker: MARKER,
      isOurs: ({ author }) => author?.login === US.login,
      write: (bodies) => {
        const rows = new Set([...bodies.flatMap((text) => text.trim().split(/\r?\n/).slice(1)), mine])
        return mine === '' ? null : [MARKER, ...[...rows].sort()].join('\n')
      },
      settle,
      hesitate,
      looks,
    })
  return { comments, asked, add, keep, bodies: () => comments.map(({ body }) => body) }
}

test('the first makes it, the second adds to it, and who has nothing new leaves it', async () => {
  const { keep, bodies, asked } = pullRequest()
  expect(await keep('a')).toBe('kept')
  expect(await keep('b')).toBe('kept')
  expect(bodies()).toEqual([`${MARKER}\na\nb`])
  asked.length = 0
  await keep('b')
  expect(asked).toEqual(['GET'])
})

test('nothing to say makes none', async () => {
  const { keep, asked } = pullRequest()
  expect(await keep('')).toBe('nothing to say')
  expect(asked).toEqual(['GET'])
})

test('only a comment with the marker and by the same author is ours', async () => {
  const { add, keep, bodies } = pullRequest()
  const foreign = [`${MARKER}\nforged`, 'hello', `${MARKER}\nghost`]
  add(foreign[0]!, { id: 2, login: 'mallory', type: 'User' })
  add(foreign[1]!)
  add(foreign[2]!, null)
  await keep('a')
  expect(bodies()).toEqual([...foreign, `${MARKER}\na`])
})

test('a comment of the same author that quotes the marker is left alone', async () => {
  const { add, keep, bodies } = pullRequest()
  const quote = `Welcome! You wrote:\n> ${MARKER}\n${MARKER}\nmallory was here`
  add(quote)
  await keep('a')
  await keep('b')
  expect(bodies()).toEqual([quote, `${MARKER}\na\nb`])
})

test('it is found on the third page', async () => {
  const { add, keep, comments } = pullRequest()
  for (let n = 0; n < 230; n++) add(`comment ${n}`, { id: 3, login: 'octocat', type: 'User' })
  add(`${MARKER}\na`)
  await keep('b')
  expect(comments).toHaveLength(231)
  expect(comments.at(-1)!.body).toBe(`${MARKER}\na\nb`)
})

test('line ends that GitHub changed are no change', async () => {
  const { add, keep, asked } = pullRequest()
  add(`${MARKER}\r\na\r\n`)
  await keep('a')
  expect(asked).toEqual(['GET'])
})

describe('writers at the same time', () => {
  test('who was overwritten writes again', async () => {
    const { comments, keep, bodies } = pullRequest()
    let overwrites = 2
    await keep('a', {
      settle: async () => {
        if (overwrites-- > 0) comments[0]!.body = `${MARKER}\nb`
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
  })

  test('of two that made one each the older stays, with the rows of both', async () => {
    const { add, keep, bodies } = pullRequest()
    let isFirst = true
    await keep('a', {
      settle: async () => {
        if (isFirst) add(`${MARKER}\nb`)
        isFirst = false
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
  })

  test('who hesitates makes none when another was quicker', async () => {
    const { add, keep, bodies } = pullRequest()
    let isFirst = true
    await keep('a', {
      hesitate: true,
      settle: async () => {
        if (isFirst) add(`${MARKER}\nb`)
        isFirst = false
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
  })

  test('a comment that was removed meanwhile is made anew', async () => {
    const { add, comments, keep, bodies } = pullRequest()
    add(`${MARKER}\nb`)
    let isFirst = true
    await keep('a', {
      settle: async () => {
        if (isFirst) comments.splice(0, 1)
        isFirst = false
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na`])
  })

  test('who is overwritten every time gives up', async () => {
    const { comments, keep } = pullRequest()
    const always = async () => {
      comments[0]!.body = `${MARKER}\nb`
    }
    await expect(keep('a', { settle: always, looks: 4 })).rejects.toBeInstanceOf(NotKept)
  })
})

test.each<[number | null, string, string, boolean]>([
  [403, 'Resource not accessible by integration', 'GitHub does not allow it: permission', false],
  [403, 'Unable to create comment because issue is locked.', 'its conversation is locked', false],
  [403, 'API rate limit exceeded', "GitHub's rate limit is reached", true],
  [429, '', "GitHub's rate limit is reached", true],
  [401, 'Bad credentials', 'GitHub does not accept the token', false],
  [404, 'Not Found', 'there is no such pull request', false],
  [410, 'Gone', 'there is no such pull request', false],
  [422, 'Validation Failed', 'status 422', false],
  [502, 'Bad Gateway', 'GitHub answered with status 502', true],
  [null, 'fetch failed', 'GitHub did not answer', true],
])('%s %s: %s', (status, message, why, passes) => {
  const error = Object.assign(new Error(message), status === null ? {} : { status })
  expect(whyNot(error, 'permission')).toContain(why)
  expect(isPassing(error)).toBe(passes)
})
