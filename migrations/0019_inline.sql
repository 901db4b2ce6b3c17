-- What every search reads of a passage stands in its row: read from beside it, it costs more than all the rest.

alter table passages set (toast_tuple_target = 8160),
  alter column impact set storage main,
  alter column tsv set storage main;
