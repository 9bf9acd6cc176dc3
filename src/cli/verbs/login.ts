/** `troupe login` and `troupe logout`. */
import { accountFor, centerFor, deleteLogin, saveLogin } from '../account.ts';
import { EXIT, Failure, wrongUsage } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { verb } from '../verb.ts';

export const login = verb({
  summary: 'asks for the password and stores a token for this center in your configuration folder',
  takes: [],
  options: {
    user: textOption('NAME', 'the user (default: root)'),
    'password-stdin': flagOption('take the password from the first line of standard input'),
  },
  examples: ['troupe login', 'troupe login --center https://troupe.example.org --password-stdin < password.txt'],
  async run({ client, shell, values, print }) {
    const { url } = await client.account();
    const username = values.user ?? 'root';
    const typed = values['password-stdin']
      ? (await shell.readInput()).split(/\r?\n/, 1)[0]
      : await shell.readSecret(`password of ${username} at ${url}: `);
    if (!typed) throw wrongUsage('the password is empty');
    const answer = await client.call('POST /v1/login', { body: { username, password: typed } }).catch(wrongPassword);
    const path = await saveLogin(shell.env, url, answer);
    const { name = null } = await centerFor({ env: shell.env, named: url });
    await print.show({ url, name, user: username, expiresAt: answer.expiresAt }, () => [
      `logged in at ${name === null ? url : `${name}, ${url},`} as ${username} until ${print.instant(answer.expiresAt)}`,
      `the token is stored in ${path}`,
      name === null
        ? 'this is the current center now; "troupe centers add NAME URL" gives it a name'
        : 'this is the current center now; "troupe centers use NAME" changes it',
    ]);
    return EXIT.done;
  },
});

/** Replaces the general message for 401, which advises to log in. */
function wrongPassword(error: unknown): never {
  if (error instanceof Failure && error.code === 'unauthorized')
    throw new Failure(EXIT.refused, 'user or password is wrong', { code: 'unauthorized', cause: error });
  throw error;
}

export const logout = verb({
  summary: 'ends the token that "troupe login" stored, here and at the center',
  takes: [],
  options: {},
  async run({ client, shell, print }) {
    const { url, token } = await client.account();
    // A token from the environment is not ended: other programs may use it.
    const kept = await accountFor({ env: { ...shell.env, TROUPE_API_TOKEN: undefined }, named: url });
    if (!kept.token) {
      await print.show({ url, loggedOut: false }, () => [`no login is stored for ${url}`]);
      return EXIT.done;
    }
    await deleteLogin(shell.env, url);
    if (token === kept.token) await client.call('POST /v1/logout').catch(alreadyOver);
    await print.show({ url, loggedOut: true }, () => [`logged out at ${url}`]);
    return EXIT.done;
  },
});

function alreadyOver(error: unknown): void {
  if (!(error instanceof Failure && error.code === 'unauthorized')) throw error;
}
