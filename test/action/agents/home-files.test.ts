import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { homeFiles, restore, write } from '#action/agents/home-files.ts'

const TOML = 'model_provider = "azure"\n'

/** A home folder with a configuration of Codex. */
function home() {
  const folder = mkdtempSync(join(tmpdir(), 'till-home-'))
  vi.stubEnv('HOME', folder)
  vi.stubEnv('RUNNER_TEMP', mkdtempSync(join(folder, 'temp-')))
  onTestFinished(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })
  const path = join(folder, '.codex/config.toml')
  mkdirSync(join(folder, '.codex'))
  writeFileSync(path, TOML)
  return { file: homeFiles(['codex'])[0]!, path }
}

const key = (id: string, seconds: number) => ({
  key: id,
  base: `https://till.example.com/${id}`,
  expires: Date.now() / 1000 + seconds,
})

test('a job whose key has expired holds no file, although its runner left its folder as it was', () => {
  const { file, path } = home()
  write(file, key('k_dead', -1))
  write(file, key('k_live', 60))
  expect(readFileSync(path, 'utf8')).not.toContain('k_dead')
  expect(restore(file, 'k_live')).toBeNull()
  expect(readFileSync(path, 'utf8')).toBe(TOML)
})

test('a file is replaced as a whole, so that nobody reads half of it, and nothing is left beside it', () => {
  const { file, path } = home()
  const opened = openSync(path, 'r')
  write(file, key('k_live', 60))
  expect(readFileSync(opened, 'utf8')).toBe(TOML)
  closeSync(opened)
  expect(readdirSync(join(path, '..'))).toEqual(['config.toml'])
  restore(file, 'k_live')
  expect(readdirSync(process.env['RUNNER_TEMP']!)).toEqual([])
})

test('a file that was put back is not put back twice', () => {
  const { file, path } = home()
  write(file, key('k_live', 60))
  restore(file, 'k_live')
  expect(restore(file, 'k_live')).toBe('what this step added is not in it any more')
  expect(readFileSync(path, 'utf8')).toBe(TOML)
})
