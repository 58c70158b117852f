const React = { createElement: (tag: string, props: object | null, ...children: unknown[]): string => `<${tag}${props ? ' ' + JSON.stringify(props) : ''}>${children.join('')}</${tag}>` };
const view = (name: string) => <p className="x">Hello {name}<br /></p>;
console.log(view('Ada'));
