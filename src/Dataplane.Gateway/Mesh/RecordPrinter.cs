using System.Globalization;
using System.Threading.Channels;
using Dataplane.Gateway.Commands;
using Dataplane.Mesh.Relay;

namespace Dataplane.Gateway.Mesh;

/// <summary>Prints records of connections without ever holding one up: when nobody reads fast enough, records are left out and counted.</summary>
internal sealed class RecordPrinter : IAsyncDisposable
{
    private readonly Channel<AccessRecord> _records;
    private readonly LinePrinter _print;
    private readonly Task _printing;
    private long _leftOut;

    public RecordPrinter(LinePrinter print)
    {
        _print = print;
        _records = Channel.CreateBounded<AccessRecord>(new BoundedChannelOptions(16_384) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _printing = Task.Run(PrintAsync);
    }

    public void Add(AccessRecord record)
    {
        if (!_records.Writer.TryWrite(record))
            Interlocked.Increment(ref _leftOut);
    }

    public async ValueTask DisposeAsync()
    {
        _records.Writer.Complete();
        await _printing.ConfigureAwait(false);
    }

    private async Task PrintAsync()
    {
        await foreach (AccessRecord record in _records.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            _print.Line(record.ToJson());
            if (Interlocked.Exchange(ref _leftOut, 0) is > 0 and var count)
                _print.Line(string.Create(CultureInfo.InvariantCulture, $"{{\"left_out\":{count}}}"));
        }
    }
}
