import './typed/view.tsx';
