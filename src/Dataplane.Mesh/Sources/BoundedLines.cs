using System.Buffers;
using System.IO.Pipelines;

namespace Dataplane.Mesh.Sources;

/// <summary>Reads lines from somebody who might never end one.</summary>
/// <param name="stream">Where they come from.</param>
/// <param name="maxLineBytes">How long a line may be, without its end.</param>
internal sealed class BoundedLines(Stream stream, int maxLineBytes) : IAsyncDisposable
{
    private readonly PipeReader _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 65536, leaveOpen: true));

    /// <summary>The next line, without its end; null when there is none. What stands behind the last end is a line.</summary>
    /// <exception cref="InvalidDataException">The line is longer than it may be.</exception>
    public async ValueTask<byte[]?> ReadAsync(CancellationToken cancellationToken)
    {
        long searched = 0;
        while (true)
        {
            ReadResult result = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> buffer = result.Buffer;
            SequencePosition? end = buffer.Slice(searched).PositionOf((byte)'\n');
            ReadOnlySequence<byte> line = end is { } at ? buffer.Slice(0, at) : buffer;
            if (line.Length > maxLineBytes)
            {
                throw new InvalidDataException($"line_too_long: a line has more than the {maxLineBytes} bytes that it may have");
            }

            if (end is { } position)
            {
                byte[] whole = line.ToArray();
                _reader.AdvanceTo(buffer.GetPosition(1, position));
                return whole;
            }

            if (result.IsCompleted)
            {
                byte[] rest = buffer.ToArray();
                _reader.AdvanceTo(buffer.End);
                return rest.Length == 0 ? null : rest;
            }

            // Not again: a long line comes in hundreds of pieces.
            searched = buffer.Length;
            _reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _reader.CompleteAsync();
}
