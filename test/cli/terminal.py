"""Runs a program on a terminal of its own: argv[1] what to wait for, argv[2] the keys to press then, argv[3:] the program.
Prints what the terminal showed, how the program ended, and whether it left the terminal as it was."""

import json, os, pty, select, subprocess, sys, termios

cue, keys = sys.argv[1].encode(), sys.argv[2].encode()
screen, program = pty.openpty()
before = termios.tcgetattr(program)
child = subprocess.Popen(sys.argv[3:], stdin=program, stdout=program, stderr=program, start_new_session=True)
shown = b''
while True:
    has_ended = child.poll() is not None
    if select.select([screen], [], [], 0.05)[0]:
        shown += os.read(screen, 4096)
        if keys and cue in shown:
            os.write(screen, keys)
            keys = b''
    elif has_ended:
        break
isAsBefore = termios.tcgetattr(program) == before
json.dump({'shown': shown.decode(), 'status': child.returncode, 'isAsBefore': isAsBefore}, sys.stdout)
