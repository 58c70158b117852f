setTimeout(function late() { undefinedName; }, 1);
