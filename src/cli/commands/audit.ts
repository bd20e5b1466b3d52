import { Command } from 'commander'
import { auditExport } from '#cli/commands/audit-export.ts'
import { auditTail } from '#cli/commands/audit-tail.ts'
import { auditVerify } from '#cli/commands/audit-verify.ts'
import { keyId } from '#cli/key-id.ts'

/** `till audit verify|export|tail`: the record of everything the broker decided. */
export function auditCommand(): Command {
  const audit = new Command('audit').description('verify, export and follow the audit trail')
  audit
    .command('verify')
    .description('find every event that was changed, removed, moved or cut off')
    .option('--key <id>', 'this key alone', keyId)
    .option('--export <file>', 'verify what `till audit export` wrote, not the ledger')
    .option('--checkpoint <file>', 'checkpoints that were kept outside, one JWS a line: shows what was cut off')
    .option('--jwks <file>', "the broker's public keys, as /.well-known/jwks.json answers (default: the ledger's)")
    .option('--json', 'print JSON')
    .action(auditVerify)
  audit
    .command('export')
    .description('write one JSON event a line to standard output, and what is needed to verify them')
    .option('--key <id>', 'this key alone', keyId)
    .action(auditExport)
  audit
    .command('tail')
    .description('show the last events, and new ones as they come')
    .option('-n, --lines <number>', 'how many of the last', '10')
    .option('--json', 'print the events themselves, one a line')
    .action(auditTail)
  return audit
}
