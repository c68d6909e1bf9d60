using System.Buffers;
using System.IO.Pipelines;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Relay;

/// <summary>Carries one direction of a connection from its first byte to its end.</summary>
internal static class Pump
{
    /// <summary>Pieces carried without a wait before others get their turn: this may run on a thread that also waits for the sockets of others.</summary>
    private const int TurnPieces = 16;

    /// <summary>Carries until the stream ends, and hands the end on.</summary>
    /// <param name="connection">Is told what was carried.</param>
    /// <param name="from">Where it comes from.</param>
    /// <param name="to">Where it goes.</param>
    /// <param name="isFromClient">Which direction it is.</param>
    /// <param name="isStrict">Whether a TLS stream that ends without its close_notify counts as cut off.</param>
    internal static async Task<RelayEnd> RunAsync(RelayConnection connection, Leg from, Leg to, bool isFromClient, bool isStrict)
    {
        RelaySide fromSide = isFromClient ? RelaySide.Client : RelaySide.Upstream, toSide = isFromClient ? RelaySide.Upstream : RelaySide.Client;
        RelaySide at = fromSide;
        int pieces = 0;
        try
        {
            while (true)
            {
                at = fromSide;
                ValueTask<ReadResult> reading = from.Reader.ReadAsync();
                pieces = reading.IsCompleted ? pieces + 1 : 0;
                ReadResult read = await reading.ConfigureAwait(false);
                if (pieces == TurnPieces)
                {
                    pieces = 0;
                    await Task.Yield();
                }

                ReadOnlySequence<byte> bytes = read.Buffer;
                at = toSide;
                foreach (ReadOnlyMemory<byte> piece in bytes)
                {
                    await to.WriteAsync(piece).ConfigureAwait(false);
                    connection.Carried(isFromClient, piece.Length);
                }

                from.Reader.AdvanceTo(bytes.End);
                if (!read.IsCompleted)
                    continue;
                if (isStrict && from.IsTruncated)
                    return new RelayEnd(RelayReason.Truncated, fromSide, "the stream ended without close_notify");
                await to.EndSendingAsync().ConfigureAwait(false);
                return new RelayEnd(RelayReason.Completed, fromSide);
            }
        }
        catch (Exception error) when (TlsErrors.IsOfTheStream(error))
        {
            return TlsErrors.OfStream(error, at);
        }
    }
}
