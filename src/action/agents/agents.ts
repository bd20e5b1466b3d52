import type { Agent } from './agent.ts'
import { claudeCode } from './claude-code.ts'
import { codex } from './codex.ts'
import { copilot } from './copilot.ts'
import { geminiCli } from './gemini-cli.ts'
import { opencode } from './opencode.ts'
import { qwenCode } from './qwen-code.ts'

/** The words of the input `agent`. What each one reads was measured (CLIENTS, 1.4). */
export const agents = {
  'claude-code': claudeCode,
  codex,
  'gemini-cli': geminiCli,
  opencode,
  copilot,
  'qwen-code': qwenCode,
} as const satisfies Record<string, Agent>

export type AgentName = keyof typeof agents

export const agentNames = Object.keys(agents) as AgentName[]
