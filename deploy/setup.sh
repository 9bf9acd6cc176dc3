#!/bin/sh
# Installs what the lock file says, where it is newer than what is installed. npm and Bun call it
# from the top of the checkout:
#   setup.sh run     what a center, an agent and the command line need
#   setup.sh all     also what the checks and the tests need
set -eu
export npm_config_loglevel=error npm_config_audit=false npm_config_fund=false

# The mark is written last: an interrupted install is repeated.
is_complete() { [ "node_modules/.complete-$1" -nt package-lock.json ] && [ "node_modules/.complete-$1" -nt package.json ]; }

npm() {
  case ${npm_execpath:-} in
  *.js | *.cjs) node "$npm_execpath" "$@" ;;
  *) command npm "$@" ;;
  esac
}

if is_complete all || is_complete "$1"; then exit 0; fi
case ${npm_execpath:-} in
*bun | *bun.exe) "$npm_execpath" install --frozen-lockfile $([ "$1" = all ] || echo --production) ;;
*)
  # `npm ci` first removes what is installed, and a running center still loads files from there.
  if [ -d node_modules ]; then how="install --no-save"; else how=ci; fi
  # Packages of the tests stay once they are installed.
  if [ "$1" = all ] || [ -d node_modules/typescript ]; then npm $how; else npm $how --omit=dev; fi
  ;;
esac
touch "node_modules/.complete-$1"
