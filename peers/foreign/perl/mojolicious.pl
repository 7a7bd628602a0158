#!/usr/bin/env perl
# Perl's Mojolicious, as in its documentation.
use Mojolicious::Lite -signatures;

app->log->level('fatal');

websocket '/' => sub ($c) {
  $c->on(message => sub { });
};

websocket '/echo' => sub ($c) {
  $c->on(text   => sub ($c, $text) { $c->send({text => $text}) });
  $c->on(binary => sub ($c, $bytes) { $c->send({binary => $bytes}) });
};

websocket '/bye' => sub ($c) {
  $c->on(message => sub { });
  $c->finish;
};

websocket '/push' => sub ($c) {
  my $timer = Mojo::IOLoop->recurring(0.1 => sub { $c->send('news') });
  $c->on(message => sub { });
  $c->on(finish  => sub { Mojo::IOLoop->remove($timer) });
};

app->start('daemon', '-l', "http://127.0.0.1:$ENV{PORT}", '-c', '4096');
