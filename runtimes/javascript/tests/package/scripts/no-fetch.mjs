const answer = await fetch('https://example.com');
