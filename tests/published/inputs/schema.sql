CREATE TABLE orchards (
  id INT PRIMARY KEY,
  name VARCHAR(255),
  owner_name VARCHAR(255),
  owner_phone VARCHAR(255),
  varieties VARCHAR(255)
);

CREATE TABLE pressings (
  id INT PRIMARY KEY,
  orchard_id INT,
  crates INT NOT NULL,
  litres FLOAT,
  price FLOAT,
  pressed_at VARCHAR(50),
  FOREIGN KEY (orchard_id) REFERENCES orchards(id)
);

CREATE TABLE Bottles (
  bottle_no INT,
  pressing_id INT,
  size_litres FLOAT,
  is_sold VARCHAR(5)
);
