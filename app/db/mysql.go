package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	driverMySQL "github.com/go-sql-driver/mysql"
	gormMySQL "gorm.io/driver/mysql"
	"gorm.io/gorm"
)

// TableOptions are those of every MySQL table: ids and keys differ by case.
const TableOptions = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

// mysqlSession makes servers of every make and configuration behave alike. A zero time is kept, as on SQLite.
const mysqlSession = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"

var mysqlParams = map[string]string{
	"time_zone":                "'+00:00'",
	"sql_mode":                 "'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'",
	"innodb_lock_wait_timeout": "2", // seconds; a push must be answered within five
}

// ParseMySQL reads a DSN and adds the options that siyu relies on.
func ParseMySQL(dsn string) (*driverMySQL.Config, error) {
	cfg, err := driverMySQL.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("db: the MySQL DSN cannot be read, give user:password@tcp(host:port)/database: %w", err)
	}
	cfg.ParseTime, cfg.Loc, cfg.InterpolateParams = true, time.UTC, true
	cfg.ClientFoundRows, cfg.MultiStatements = false, false
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 5*time.Second, 30*time.Second, 30*time.Second
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	for k, v := range mysqlParams {
		cfg.Params[k] = v
	}
	err = cfg.Apply(driverMySQL.Charset("utf8mb4", "utf8mb4_bin"), driverMySQL.TimeTruncate(time.Microsecond))
	return cfg, err
}

// connector prepares each new connection.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, mysqlSession, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (d *DB) openMySQL(ctx context.Context) error {
	cfg, err := ParseMySQL(d.cfg.DSN)
	if err != nil {
		return err
	}
	c, err := driverMySQL.NewConnector(cfg)
	if err != nil {
		return fmt.Errorf("db: open MySQL: %w", err)
	}
	d.pool = sql.OpenDB(connector{c})
	n := d.cfg.MaxOpen
	if n <= 0 {
		n = 32
	}
	d.pool.SetMaxOpenConns(n)
	d.pool.SetMaxIdleConns(n)
	d.pool.SetConnMaxIdleTime(5 * time.Minute) // below the idle limits of proxies
	if err := d.pool.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("db: open MySQL at %s: %w", cfg.Addr, err), d.pool.Close())
	}
	precision := 6
	d.reader, err = gorm.Open(gormMySQL.New(gormMySQL.Config{
		Conn: d.pool, DisableWithReturning: true, DefaultDatetimePrecision: &precision,
	}), gormConfig())
	if err != nil {
		return errors.Join(fmt.Errorf("db: open MySQL: %w", err), d.pool.Close())
	}
	return nil
}

// mysqlFatal tells the errors after which a transaction is over, or must be: run the whole closure again.
func mysqlFatal(err error) bool {
	var e *driverMySQL.MySQLError
	if errors.As(err, &e) {
		switch e.Number {
		case 1213, 1205, 1020, // deadlock or Galera's certification, lock wait, read a row that changed since
			8002, 8022, 8028, 9007: // TiDB: conflict, retryable, schema changed, write conflict
			return true
		}
		return false
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, driverMySQL.ErrInvalidConn) || errors.Is(err, sql.ErrConnDone)
}
