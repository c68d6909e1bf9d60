using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Dataplane.Hosting.Tests;

/// <summary>Collects log messages.</summary>
internal sealed class LogList : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, EventId Event, string Text)> _entries = new();

    public IReadOnlyList<(LogLevel Level, EventId Event, string Text)> Entries => [.. _entries];

    public bool Has(string eventName) => _entries.Any(entry => entry.Event.Name == eventName);

    public bool Has(string eventName, string part) => _entries.Any(entry => entry.Event.Name == eventName && entry.Text.Contains(part, StringComparison.Ordinal));

    public string TextOf(string eventName) => _entries.First(entry => entry.Event.Name == eventName).Text;

    public string TextOf(string eventName, string part) =>
        _entries.First(entry => entry.Event.Name == eventName && entry.Text.Contains(part, StringComparison.Ordinal)).Text;

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _entries.Enqueue((logLevel, eventId, formatter(state, exception)));

    public void Dispose()
    {
    }
}
