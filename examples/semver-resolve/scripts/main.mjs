// Chooses versions that fit together. JSON on standard input, JSON on standard output.

import { readFileSync } from 'node:fs';
import semver from '../vendor/semver/index.js';

const MAX_TRIED = 20_000;

/** What is wrong with the input, for the person who sent it. */
class InputError extends Error {}

/** @typedef {{ by: string, range: string }} Wish */

function checkWanted(wanted, by) {
  if (wanted === null || typeof wanted !== 'object' || Array.isArray(wanted)) throw new InputError(`${by}: \`wanted\` must be an object`);
  for (const [name, range] of Object.entries(wanted)) {
    if (semver.validRange(range) === null) throw new InputError(`${by} wants ${name} "${range}", which is no range`);
  }
}

function checkPackages(packages) {
  if (packages === null || typeof packages !== 'object') throw new InputError('`packages` must be an object');
  for (const [name, versions] of Object.entries(packages)) {
    for (const [version, wanted] of Object.entries(versions)) {
      if (semver.valid(version) !== version) throw new InputError(`${name}: "${version}" is no version such as 1.2.3`);
      checkWanted(wanted, `${name} ${version}`);
    }
  }
}

class Resolver {
  tried = 0;
  conflict = null;
  #depth = -1;

  constructor(packages, prereleases) {
    this.packages = packages;
    this.options = { includePrerelease: prereleases };
  }

  /** Versions of a package that all wishes allow, newest first. */
  fitting(name, wishes) {
    return semver
      .rsort(Object.keys(this.packages[name] ?? {}))
      .filter((version) => wishes.every(({ range }) => semver.satisfies(version, range, this.options)));
  }

  /**
   * Completes a choice, or answers null when it cannot be completed.
   * @param {Map<string, string>} chosen
   * @param {Map<string, Wish[]>} wishes of every package that somebody wants
   */
  solve(chosen, wishes) {
    const open = [...wishes.keys()].filter((name) => !chosen.has(name)).sort();
    if (open.length === 0) return chosen;
    // The package with the fewest ways out first: dead ends show early.
    const choices = open.map((name) => ({ name, versions: this.fitting(name, wishes.get(name)) }));
    choices.sort((a, b) => a.versions.length - b.versions.length);
    const { name, versions } = choices[0];
    if (versions.length === 0) this.#remember(name, wishes.get(name), chosen.size);
    for (const version of versions) {
      if (++this.tried > MAX_TRIED) throw new InputError(`gave up after ${MAX_TRIED} choices; narrow the ranges`);
      const next = this.#wishesWith(wishes, chosen, name, version);
      const solution = next && this.solve(new Map(chosen).set(name, version), next);
      if (solution) return solution;
    }
    return null;
  }

  /** The wishes after this choice, or null if one of them is against what is chosen. */
  #wishesWith(wishes, chosen, name, version) {
    const next = new Map(wishes);
    for (const [other, range] of Object.entries(this.packages[name][version])) {
      next.set(other, [...(next.get(other) ?? []), { by: `${name} ${version}`, range }]);
      const taken = other === name ? version : chosen.get(other);
      if (taken !== undefined && !semver.satisfies(taken, range, this.options)) {
        this.#remember(other, next.get(other), chosen.size);
        return null;
      }
    }
    return next;
  }

  #remember(name, ranges, depth) {
    if (depth <= this.#depth) return;
    this.#depth = depth;
    this.conflict = { package: name, available: semver.rsort(Object.keys(this.packages[name] ?? {})), ranges };
  }
}

function run({ wanted, packages, prereleases = false }) {
  checkWanted(wanted, 'the order');
  checkPackages(packages);
  const resolver = new Resolver(packages, prereleases);
  const wishes = new Map(Object.entries(wanted).map(([name, range]) => [name, [{ by: 'the order', range }]]));
  const solution = resolver.solve(new Map(), wishes);
  return {
    versions: solution && Object.fromEntries([...solution].sort(([a], [b]) => (a < b ? -1 : 1))),
    conflict: solution ? null : resolver.conflict,
    tried: resolver.tried,
  };
}

try {
  console.log(JSON.stringify(run(JSON.parse(readFileSync(0, 'utf8')))));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
