provider "aws" {
  region     = "eu-central-1"
  access_key = "AKIAIOSFODNN7EXAMPLE"
}

resource "aws_security_group" "press" {
  name = "press"
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_s3_bucket" "labels" {
  bucket = "labels-of-bottles"
  acl    = "public-read"
}

resource "aws_db_instance" "cellar" {
  engine              = "postgres"
  instance_class      = "db.t3.micro"
  password            = "plum-jam-42"
  publicly_accessible = true
  storage_encrypted   = false
}
