// What `Intl` would give, for the one language that is here: en-US, in UTC.
//
// Numbers with grouping, digits, currencies, percent and compact notation; dates and times with Node's styles and parts; order
// of texts as a dictionary has it for Latin letters. Another language is treated as en-US.

const has = (options, ...names) => names.some((name) => options?.[name] !== undefined);

// Numbers.

const CURRENCIES = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', CNY: 'CN¥', KRW: '₩', BRL: 'R$', CAD: 'CA$', AUD: 'A$', MXN: 'MX$', NZD: 'NZ$', ILS: '₪', VND: '₫', TWD: 'NT$', HKD: 'HK$', PHP: '₱', XAF: 'FCFA', XOF: 'F\u202fCFA' };
const NO_CENTS = new Set(['JPY', 'KRW', 'VND', 'CLP', 'ISK', 'XAF', 'XOF']);
const UNITS = { byte: 'byte', kilobyte: 'kB', megabyte: 'MB', gigabyte: 'GB', terabyte: 'TB', percent: '%', second: 'sec', minute: 'min', hour: 'hr', day: 'day', kilometer: 'km', meter: 'm', kilogram: 'kg', gram: 'g', celsius: '°C', liter: 'L', mile: 'mi' };

function digitRange(options, low, high) {
  const least = options.minimumFractionDigits;
  const most = options.maximumFractionDigits;
  for (const [name, value] of [['minimumFractionDigits', least], ['maximumFractionDigits', most]]) {
    if (value !== undefined && !(value >= 0 && value <= 100)) throw new RangeError(`${name} value is out of range.`);
  }
  if (least !== undefined && most !== undefined && least > most) throw new RangeError('maximumFractionDigits value is out of range.');
  return [Math.floor(least ?? Math.min(low, most ?? low)), Math.floor(most ?? Math.max(high, least ?? high))];
}

// A number in full decimal notation, exactly: no exponent, no rounding.
function decimalText(value) {
  const text = typeof value === 'bigint' ? String(value) : String(Math.abs(value));
  const [, whole, fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(text);
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return [`0`, '0'.repeat(-point) + digits];
  return [digits.slice(0, point).padEnd(point, '0').replace(/^0+(?=\d)/, ''), digits.slice(point)];
}

// The digits rounded to `places` after the point; halves away from zero, as Intl does on the decimal form.
function roundText([whole, fraction], places) {
  if (fraction.length <= places) return [whole, fraction];
  const digits = BigInt(whole + fraction.slice(0, places)) + (fraction[places] >= '5' ? 1n : 0n);
  const text = String(digits).padStart(whole.length + places, '0').padStart(places + 1, '0');
  return [text.slice(0, text.length - places), text.slice(text.length - places)];
}

function roundSignificant([whole, fraction], least, most) {
  const isSmall = whole === '0';
  if (isSmall && /^0*$/.test(fraction)) return ['0', '0'.repeat(least - 1)];
  const leading = isSmall ? /^0*/.exec(fraction)[0].length : 0;
  const places = isSmall ? leading + most : most - whole.length;
  let rounded;
  if (places >= 0) rounded = roundText([whole, fraction], places);
  else {
    const unit = 10n ** BigInt(-places);
    const value = BigInt(whole);
    rounded = [String(((value + unit / 2n) / unit) * unit), ''];
  }
  const wanted = rounded[0] === '0' ? leading + least : Math.max(0, least - rounded[0].length);
  return [rounded[0], rounded[1].replace(/0+$/, '').padEnd(wanted, '0')];
}

function wholeAndFraction(value, options, low, high) {
  const parts = decimalText(value);
  if (has(options, 'minimumSignificantDigits', 'maximumSignificantDigits')) {
    return roundSignificant(parts, options.minimumSignificantDigits ?? 1, options.maximumSignificantDigits ?? 21);
  }
  const [least, most] = digitRange(options, low, high);
  const [whole, fraction] = roundText(parts, most);
  return [whole, fraction.replace(/0+$/, '').padEnd(least, '0')];
}

const groupDigits = (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ',');

function compactText(value, options) {
  const isLong = options.compactDisplay === 'long';
  const names = isLong ? [' thousand', ' million', ' billion', ' trillion'] : ['K', 'M', 'B', 'T'];
  const round = (number) => {
    if (has(options, 'minimumFractionDigits', 'maximumFractionDigits', 'maximumSignificantDigits', 'minimumSignificantDigits')) return wholeAndFraction(number, options, 0, 0);
    return number < 100 ? roundSignificant(decimalText(number), 1, 2) : roundText(decimalText(number), 0);
  };
  let power = 0;
  let scaled = Math.abs(Number(value));
  while (scaled >= 1000 && power < 4) { scaled = Math.abs(Number(value)) / 1000 ** (power + 1); power += 1; }
  let [whole, fraction] = round(scaled);
  if (whole === '1000' && power < 4) { power += 1; [whole, fraction] = round(scaled / 1000); }
  return (whole.length > 4 ? groupDigits(whole) : whole) + (fraction ? `.${fraction}` : '') + (power > 0 ? names[power - 1] : '');
}

export function formatNumber(value, options = {}) {
  const { style = 'decimal', currency, currencyDisplay = 'symbol', notation = 'standard', useGrouping = true, minimumIntegerDigits = 1, signDisplay = 'auto', currencySign } = options ?? {};
  if (style === 'currency' && currency === undefined) throw new TypeError('Currency code is required with currency style.');
  const code = currency?.toUpperCase();
  const number = style === 'percent' ? (typeof value === 'bigint' ? value * 100n : Number(`${Number(value)}e2`) || Number(value) * 100) : value;
  const negative = typeof number === 'bigint' ? number < 0n : number < 0 || Object.is(number, -0);
  const cents = NO_CENTS.has(code) ? 0 : 2;
  const [low, high] = style === 'currency' ? [cents, cents] : style === 'percent' ? [0, 0] : [0, 3];
  let body;
  let isZero = false;
  if (Number.isNaN(number)) body = 'NaN';
  else if (number === Infinity || number === -Infinity) body = '∞';
  else if (notation === 'compact') body = compactText(number, options);
  else {
    const [whole, fraction] = wholeAndFraction(number, options, low, high);
    isZero = /^0*$/.test(whole + fraction);
    const padded = whole.padStart(minimumIntegerDigits, '0');
    body = (useGrouping === false || useGrouping === 'false' ? padded : groupDigits(padded)) + (fraction ? `.${fraction}` : '');
  }
  if (style === 'percent') body += '%';
  if (style === 'unit') {
    const unit = UNITS[options.unit] ?? options.unit;
    body += options.unitDisplay === 'long' ? ` ${options.unit}${body === '1' ? '' : 's'}` : unit === '%' || unit.startsWith('°') ? unit : ` ${unit}${/^(day|byte)$/.test(unit) && body !== '1' ? (unit === 'day' ? 's' : '') : ''}`;
  }
  if (style === 'currency') {
    const symbol = currencyDisplay === 'code' ? `${code}\u00a0` : currencyDisplay === 'name' ? '' : CURRENCIES[code] ?? `${code}\u00a0`;
    body = (currencyDisplay === 'narrowSymbol' ? symbol.replace(/^[A-Z]+(?=[^A-Z\s])/, '') : symbol) + body;
    if (currencyDisplay === 'name') body += code === 'USD' ? ' US dollars' : ` ${code}`;
  }
  const isNegative = negative && !Number.isNaN(number);
  if (isNegative && currencySign === 'accounting') return `(${body})`;
  const minus = isNegative && signDisplay !== 'never' && !(isZero && (signDisplay === 'exceptZero' || signDisplay === 'negative'));
  const plus = !isNegative && (signDisplay === 'always' || (signDisplay === 'exceptZero' && !isZero && !Number.isNaN(number)));
  return (minus ? '-' : plus ? '+' : '') + body;
}

// Dates.

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const two = (value) => String(value).padStart(2, '0');
const DATE_PARTS = ['weekday', 'year', 'month', 'day'];
const TIME_PARTS = ['hour', 'minute', 'second', 'fractionalSecondDigits', 'dayPeriod'];
const STYLES = {
  date: {
    full: { weekday: 'long', month: 'long', day: 'numeric', year: 'numeric' }, long: { month: 'long', day: 'numeric', year: 'numeric' },
    medium: { month: 'short', day: 'numeric', year: 'numeric' }, short: { month: 'numeric', day: 'numeric', year: '2-digit' },
  },
  time: {
    full: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'long' }, long: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
    medium: { hour: 'numeric', minute: '2-digit', second: '2-digit' }, short: { hour: 'numeric', minute: '2-digit' },
  },
};
const ZONES = new Set(['utc', 'gmt', 'etc/utc', 'etc/gmt', 'etc/greenwich', 'etc/uct', 'etc/universal', 'etc/zulu', 'z', '+00:00']);

function checkZone(zone) {
  if (zone === undefined || ZONES.has(String(zone).toLowerCase())) return;
  throw new RangeError(`Invalid time zone specified: ${zone}: this runtime has UTC only`);
}

// The options that the caller gave, or the default parts; `needs` says which parts would do, `fills` which are added if there are none.
function withDefaults(options, needs, fills) {
  const given = options ?? {};
  checkZone(given.timeZone);
  if (given.dateStyle !== undefined || given.timeStyle !== undefined) {
    if (fills !== 'all' && has(given, fills === 'date' ? 'timeStyle' : 'dateStyle')) throw new TypeError(`Invalid option : ${fills === 'date' ? 'timeStyle' : 'dateStyle'}`);
    return { ...given, ...STYLES.date[given.dateStyle], ...STYLES.time[given.timeStyle], styled: given.dateStyle };
  }
  const dateNeeded = needs !== 'time' && has(given, ...DATE_PARTS);
  const timeNeeded = needs !== 'date' && has(given, ...TIME_PARTS);
  if (dateNeeded || timeNeeded) return given;
  const date = fills !== 'time' ? { year: 'numeric', month: 'numeric', day: 'numeric' } : {};
  const time = fills !== 'date' ? { hour: 'numeric', minute: 'numeric', second: 'numeric' } : {};
  return { ...given, ...date, ...time };
}

function datePart(date, { weekday, year, month, day, era }) {
  const isText = month === 'long' || month === 'short' || month === 'narrow';
  const yearNumber = date.getUTCFullYear();
  const texts = {
    weekday: weekday && { long: DAYS[date.getUTCDay()], short: DAYS[date.getUTCDay()].slice(0, 3), narrow: DAYS[date.getUTCDay()][0] }[weekday],
    year: year && (year === '2-digit' ? two(yearNumber % 100) : String(yearNumber)),
    month: month && (isText ? { long: MONTHS[date.getUTCMonth()], short: MONTHS[date.getUTCMonth()].slice(0, 3), narrow: MONTHS[date.getUTCMonth()][0] }[month]
      : month === '2-digit' ? two(date.getUTCMonth() + 1) : String(date.getUTCMonth() + 1)),
    day: day && (day === '2-digit' ? two(date.getUTCDate()) : String(date.getUTCDate())),
  };
  const numeric = [texts.month, texts.day, texts.year].filter(Boolean);
  if (!isText) return [texts.weekday, numeric.join('/')].filter(Boolean).join(', ');
  const monthDay = [texts.month, texts.day].filter(Boolean).join(' ');
  const whole = !texts.year ? monthDay : texts.day ? `${monthDay}, ${texts.year}` : `${monthDay} ${texts.year}`;
  return [texts.weekday, whole + (era ? ' AD' : '')].filter(Boolean).join(', ');
}

function timePart(date, { hour, minute, second, fractionalSecondDigits, hour12, hourCycle, timeZoneName }) {
  const uses12 = hour12 ?? (hourCycle ? hourCycle === 'h12' || hourCycle === 'h11' : true);
  const hours = date.getUTCHours();
  const shownHour = uses12 ? hours % 12 || 12 : hourCycle === 'h24' || (hour12 === false && hourCycle === undefined) ? hours || 24 : hours;
  const parts = [
    hour && (hour === '2-digit' || !uses12 ? two(shownHour) : String(shownHour)),
    minute && (hour || second || minute === '2-digit' ? (hour || second ? two(date.getUTCMinutes()) : String(date.getUTCMinutes())) : String(date.getUTCMinutes())),
    second && (minute ? two(date.getUTCSeconds()) : String(date.getUTCSeconds())),
  ].filter(Boolean);
  let text = parts.join(':');
  if (fractionalSecondDigits) text += `${second ? '.' : ''}${String(date.getUTCMilliseconds()).padStart(3, '0').slice(0, fractionalSecondDigits)}`;
  if (hour && uses12) text += ` ${hours < 12 ? 'AM' : 'PM'}`;
  if (timeZoneName) text += ` ${timeZoneName === 'long' ? 'Coordinated Universal Time' : 'UTC'}`;
  return text;
}

export function formatDate(date, options, needs = 'any', fills = 'date') {
  if (Number.isNaN(date.getTime())) return 'Invalid Date';
  const chosen = withDefaults(options, needs, fills);
  const hasTime = has(chosen, ...TIME_PARTS);
  const day = has(chosen, ...DATE_PARTS) ? datePart(date, chosen) : '';
  const time = hasTime ? timePart(date, chosen) : '';
  const zoned = !hasTime && chosen.timeZoneName ? `${day}, ${chosen.timeZoneName === 'long' ? 'Coordinated Universal Time' : 'UTC'}` : day;
  const isLong = chosen.styled === 'full' || chosen.styled === 'long' || (chosen.month === 'long' && chosen.styled === undefined);
  const isWeekdayOnly = !has(chosen, 'year', 'month', 'day') && chosen.styled === undefined;
  return [zoned, time].filter(Boolean).join(isLong ? ' at ' : isWeekdayOnly ? ' ' : ', ');
}

// The order of texts: letters without marks and case first, then marks, then lower before upper case.

const base = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/ß/g, 'ss').replace(/æ/g, 'ae').replace(/œ/g, 'oe').replace(/ø/g, 'o').replace(/đ/g, 'd').replace(/ł/g, 'l');
// White space, punctuation and symbols come before digits, digits before letters.
const PUNCTUATION = '\t\n\v\f\r\u2028\u2029 _-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$';
function rank(character) {
  const at = PUNCTUATION.indexOf(character);
  if (at >= 0) return at;
  if (/[0-9]/.test(character)) return 1000 + character.charCodeAt(0);
  return /\p{L}/u.test(character) ? 3000 + character.codePointAt(0) : 100 + character.codePointAt(0) % 900;
}

function compareBase(one, other, numeric) {
  const [left, right] = [one, other].map((text) => (numeric ? text.match(/\d+|\D/gu) ?? [] : Array.from(text)));
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] === right[at]) continue;
    if (numeric && /^\d/.test(left[at]) && /^\d/.test(right[at])) {
      const difference = BigInt(left[at]) - BigInt(right[at]);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      continue;
    }
    const difference = rank(left[at]) - rank(right[at]);
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(left.length - right.length);
}

const isPlain = (text) => /^[a-z0-9]*$/.test(text);
const marks = (text) => text.normalize('NFD').replace(/[^\u0300-\u036f]/g, '0');

export function compareTexts(one, other, options = {}) {
  if (one === other) return 0;
  const { numeric = false, sensitivity = 'variant', caseFirst, ignorePunctuation = false } = options ?? {};
  if (isPlain(one) && isPlain(other) && !numeric) return one < other ? -1 : 1;
  const strip = (text) => (ignorePunctuation ? text.replace(/[\s\p{P}]/gu, '') : text);
  const byBase = compareBase(base(strip(one)), base(strip(other)), numeric);
  if (byBase !== 0 || sensitivity === 'base') return byBase;
  if (sensitivity !== 'case') {
    const [left, right] = [marks(strip(one)), marks(strip(other))];
    if (left !== right) return left < right ? -1 : 1;
  }
  if (sensitivity === 'accent') return 0;
  const [left, right] = [strip(one).normalize('NFC'), strip(other).normalize('NFC')];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] === right[at]) continue;
    const lower = left[at] === left[at].toLowerCase() && right[at] !== right[at].toLowerCase();
    const upper = left[at] !== left[at].toLowerCase() && right[at] === right[at].toLowerCase();
    if (lower) return caseFirst === 'upper' ? 1 : -1;
    if (upper) return caseFirst === 'upper' ? -1 : 1;
  }
  return 0;
}

// On the prototypes.

const define = (prototype, methods) => {
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
};
const checkLocales = (locales) => {
  for (const locale of locales === undefined ? [] : [locales].flat()) {
    if (typeof locale !== 'string' || !/^[a-z]{2,8}([-_][a-z0-9]{1,8})*$/i.test(locale) || locale.includes('_')) throw new RangeError(`Incorrect locale information provided`);
  }
};

define(Number.prototype, { toLocaleString(locales, options) { checkLocales(locales); return formatNumber(Number(this), options); } });
define(BigInt.prototype, { toLocaleString(locales, options) { checkLocales(locales); return formatNumber(BigInt(this), options); } });
const toIsoLikeString = Date.prototype.toString;
define(Date.prototype, {
  toString() { return Number.isNaN(this.getTime()) ? 'Invalid Date' : `${toIsoLikeString.call(this)} (Coordinated Universal Time)`; },
  toTimeString() { return Number.isNaN(this.getTime()) ? 'Invalid Date' : this.toString().replace(/^.{15} ?/, ''); },
  toLocaleString(locales, options) { checkLocales(locales); return formatDate(this, options, 'any', 'all'); },
  toLocaleDateString(locales, options) { checkLocales(locales); return formatDate(this, options, 'date', 'date'); },
  toLocaleTimeString(locales, options) { checkLocales(locales); return formatDate(this, options, 'time', 'time'); },
});
define(String.prototype, {
  localeCompare(that, locales, options) { checkLocales(locales); return compareTexts(String(this), String(that), options); },
});
