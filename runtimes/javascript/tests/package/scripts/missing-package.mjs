import lodash from 'lodash';
