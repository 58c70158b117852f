exports.how = 'require';
