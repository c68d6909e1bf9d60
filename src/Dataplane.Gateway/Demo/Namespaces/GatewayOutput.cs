using Dataplane.Gateway.Status;

namespace Dataplane.Gateway.Demo.Namespaces;

/// <summary>Sorts what <c>dataplane run --status</c> prints: counters, reports of reloads, and the accounting at the end.</summary>
internal sealed class GatewayOutput
{
    private readonly Lock _adding = new();
    private readonly List<string> _accounting = [];
    private List<string>? _report;
    private TaskCompletionSource<IReadOnlyList<string>>? _waiting;
    private volatile GatewayStatus? _status;

    /// <summary>The newest counters; null before the first.</summary>
    public GatewayStatus? Status => _status;

    /// <summary>The lines of the accounting.</summary>
    public IReadOnlyList<string> Accounting
    {
        get
        {
            lock (_adding)
            {
                return [.. _accounting];
            }
        }
    }

    public void Add(string line)
    {
        if (StatusLine.TryRead(line) is { } status)
        {
            _status = status;
        }

        lock (_adding)
        {
            bool isPartOfReport = _report is not null && line.StartsWith(' ');
            if (_report is not null && !isPartOfReport)
            {
                _waiting?.TrySetResult(_report);
                (_report, _waiting) = (null, null);
            }

            if (line.StartsWith("reloaded: ", StringComparison.Ordinal))
            {
                _report = [line["reloaded: ".Length..]];
            }
            else if (isPartOfReport)
            {
                _report!.Add(line.Trim());
            }
            else if (_accounting.Count > 0 || line.StartsWith("received ", StringComparison.Ordinal))
            {
                _accounting.Add(line);
            }
        }
    }

    /// <summary>The lines of the next report of a reload. A report has ended when something else follows, at the latest the next line of counters.</summary>
    public Task<IReadOnlyList<string>> NextReloadAsync()
    {
        lock (_adding)
        {
            _waiting = new TaskCompletionSource<IReadOnlyList<string>>(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiting.Task;
        }
    }
}
