/** Comments are at most 100 columns wide, every file begins with its caption, headers are short. */
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const COLUMNS = 100;
/** Lines of a header: caption and six of prose. Pictures and lists are indented: not counted. */
const PROSE_LINES = 7;

const TOKEN = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\[\s\S]|[^'\\])*'|"(?:\\[\s\S]|[^"\\])*"|[\w$]+|[\s\S]/y;
/** From behind the backtick, or the `}` of a substitution, to the next end of text. */
const TEMPLATE = /(?:\\[\s\S]|[^`\\$]|\$(?!\{))*(?:`|\$\{)/y;
const PATTERN = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y;
/** A slash behind one of these divides. Behind anything else it begins a regular expression. */
const VALUE = /^(?!(?:return|typeof|case|in|of|await|yield|else|do|void|throw)$)[\w$]|^['"`)\]]/;
const URL_ALONE = /^\s*(?:\/\/|\/?\*+)\s*https?:\/\/\S+\s*(?:\*\/)?$/;

const files = ['actors', 'src', 'test', 'deploy'].flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`),
);
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Comment {
  readonly text: string;
  /** Of its first character in the file. */
  readonly index: number;
}

/** The comments of a program. What looks like one in a string, template or pattern is none. */
function commentsOf(program: string): Comment[] {
  const found: Comment[] = [];
  const open: string[] = [];
  let index = 0;
  let before = '';
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = index;
    const token = pattern.exec(program)?.[0] ?? '';
    index += token.length;
    return token;
  };
  const template = () => {
    const isOver = match(TEMPLATE).endsWith('`');
    before = isOver ? '`' : '{';
    if (!isOver) open.push('${');
  };
  while (index < program.length) {
    if (program[index] === '/' && !VALUE.test(before) && !/^\/[/*]/.test(program.slice(index, index + 2)) && match(PATTERN)) {
      before = ')';
      continue;
    }
    const at = index;
    const token = match(TOKEN);
    if (/^\/[/*]/.test(token)) found.push({ text: token, index: at });
    else if (token === '`') template();
    else if (token === '}' && open.pop() === '${') template();
    else if (token.trim()) before = token;
    if (token === '{') open.push(token);
  }
  return found;
}

/** Lines that hold nothing but a comment and are wider than allowed, as `number: text`. */
function wideLines(program: string): string[] {
  return commentsOf(program).flatMap(({ text, index }) => {
    const start = program.lastIndexOf('\n', index - 1) + 1;
    const first = program.slice(0, start).split('\n').length;
    const lines = (program.slice(start, index) + text).split('\n');
    return lines.flatMap((line, n) => {
      const isOwn = n > 0 || program.slice(start, index).trim() === '';
      return isOwn && line.length > COLUMNS && !URL_ALONE.test(line) ? [`${first + n}: ${line.trim()}`] : [];
    });
  });
}

/** Lines of the comment that begins a file, without its marks. Undefined: it begins with code. */
function headerOf(program: string): string[] | undefined {
  const body = program.replace(/^#![^\n]*\n/, '').trimStart();
  const lines = body.startsWith('//') ? body.match(/^(?:\/\/[^\n]*\n?)+/) : body.match(/^\/\*[\s\S]*?\*\//);
  return lines?.[0].split('\n').map(line => line.replace(/^\s*(?:\/\/|\/\*+|\*(?!\/))|\s*\*\/$/g, '').trimEnd());
}

const proseOf = (header: string[]): string[] => header.filter(line => /^ ?\S/.test(line));

describe('a comment', () => {
  test('a comment has lines of at most 100 columns', () => {
    const wide = files.flatMap(file => wideLines(textOf(file)).map(line => `${file}:${line}`));
    expect(wide).toEqual([]);
  });

  test('a comment is found where it is one, and nowhere else', () => {
    const wide = 'x'.repeat(COLUMNS);
    const none = [`'// ${wide}'`, `\`\n// ${wide}\n\``, `\`\${f(\`}\`)}\n// ${wide}\``, `"\\"// ${wide}"`, `/['"\`]/.test(a) // ${wide}`];
    expect(none.filter(program => wideLines(program).length > 0)).toEqual([]);
    const some = [
      `// ${wide}`,
      `a / b;\n  // ${wide}`,
      `/**\n * ${wide}\n */`,
      `f(/* a\n ${wide} */)`,
      `\`\${{ a: '}' }}\`;\n// ${wide}`,
      `x = /[/'"\`]\\//;\n// ${wide}`,
      `// https://a.example/${wide} and more`,
    ];
    expect(some.filter(program => wideLines(program).length !== 1)).toEqual([]);
    expect(wideLines(`// https://a.example/${wide}`)).toEqual([]);
  });
});

describe('a file', () => {
  test('a file begins with its caption', () => {
    expect(files.filter(file => !headerOf(textOf(file))?.some(line => line.trim()))).toEqual([]);
  });

  test('a file has at most six lines of prose below its caption', () => {
    const long = files.filter(file => proseOf(headerOf(textOf(file)) ?? []).length > PROSE_LINES);
    expect(long).toEqual([]);
  });
});
