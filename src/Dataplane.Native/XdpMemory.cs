using System.Diagnostics;

namespace Dataplane.Native;

/// <summary>The frames of all AF_XDP ports of one worker: one region that the kernel knows as UMEM, in chunks of one size.</summary>
/// <remarks>
/// <para>Each chunk is in one place: in the pool, or with a port (in its rings, in the kernel behind them, in the batch in hand). The pool and what
/// moves between ports belong to the worker. A port is opened and closed by another thread, while the worker runs the others: it brings
/// its chunks from a reserve of its own and takes home those that are with it in the end.</para>
/// <para>There are enough chunks that the pool never lacks any: each port brings as many as its rings and a batch can hold.</para>
/// </remarks>
internal sealed class XdpMemory
{
    /// <summary>Most ports that share one memory: their numbers must fit into a byte, with 0 for nobody.</summary>
    internal const int MaxPorts = 64;

    private readonly Lock _gate = new();
    private readonly List<int>?[] _reserves;      // chunks of ports that are not open; null: the port is open, or its chunks are lost
    private readonly List<AfXdpSocket> _sockets = [];
    private readonly byte[] _owners;              // number of the port that a chunk is with, from 1; 0: the pool, or a reserve
    private readonly int[] _pool;
    private int _pooled;
    private int _open;

    /// <summary>Makes the memory.</summary>
    /// <param name="ports">How many ports can be open at once, 1 to <see cref="MaxPorts"/>.</param>
    /// <param name="chunkBytes">Size of a chunk: 2,048 or 4,096.</param>
    /// <param name="chunksPerPort">What a port brings.</param>
    /// <param name="gatherBytes">Room for each port to put frames together that the kernel hands over in several chunks; 0: it is not to do so.</param>
    /// <exception cref="LinuxException">The kernel has no such memory.</exception>
    internal XdpMemory(int ports, int chunkBytes, int chunksPerPort, int gatherBytes = 0)
    {
        Debug.Assert(ports is >= 1 and <= MaxPorts && chunkBytes is 2048 or 4096, "The kernel wants chunks of 2 KB up to a page.");
        ChunkBytes = chunkBytes;
        ChunksPerPort = chunksPerPort;
        int chunks = ports * chunksPerPort;
        GatherBytes = gatherBytes;
        HasFragments = gatherBytes > 0;
        UmemBytes = checked(chunks * chunkBytes);
        Region = MappedRegion.Allocate(checked(UmemBytes + (ports * gatherBytes)));
        Region.Prefault();
        _owners = new byte[chunks];
        _pool = new int[chunks];
        _reserves = new List<int>?[ports];
        for (int port = 0; port < ports; port++)
            _reserves[port] = [.. Enumerable.Range(port * chunksPerPort, chunksPerPort)];
    }

    /// <summary>The memory that offsets of frames count from.</summary>
    internal MappedRegion Region { get; }

    /// <summary>What of the region the kernel knows, in bytes from its start: the chunks. Behind it the ports put frames together.</summary>
    internal int UmemBytes { get; }

    /// <summary>Room for each port to put frames together, in bytes.</summary>
    internal int GatherBytes { get; }

    /// <summary>Whether frames may lie in several chunks: asked for until the kernel refuses, and then what all sockets of the memory have.</summary>
    internal bool HasFragments { get; set; }

    /// <summary>Size of a chunk in bytes.</summary>
    internal int ChunkBytes { get; }

    /// <summary>What a port brings.</summary>
    internal int ChunksPerPort { get; }

    /// <summary>Chunks in the worker's pool.</summary>
    internal int Pooled => _pooled;

    /// <summary>Whether a port more can be opened.</summary>
    internal bool HasRoom
    {
        get
        {
            lock (_gate)
                return Region.IsOpen && Array.Exists(_reserves, reserve => reserve is not null);
        }
    }

    /// <summary>Whether no port is open, so that the memory was given back.</summary>
    internal bool IsClosed => !Region.IsOpen;

    /// <summary>Takes a port in.</summary>
    /// <param name="chunks">The chunks that it brings; all are its own until it passes them on.</param>
    /// <returns>Its number, from 1.</returns>
    /// <exception cref="InvalidOperationException">There is no room.</exception>
    internal byte Join(out int[] chunks)
    {
        lock (_gate)
        {
            int port = Array.FindIndex(_reserves, reserve => reserve is not null);
            if (port < 0 || !Region.IsOpen)
                throw new InvalidOperationException("The memory has no room for another port.");
            chunks = [.. _reserves[port]!];
            _reserves[port] = null;
            _open++;
            foreach (int chunk in chunks)
                _owners[chunk] = (byte)(port + 1);
            return (byte)(port + 1);
        }
    }

    /// <summary>Lets a port go whose socket is closed; the last one gives the memory back.</summary>
    /// <param name="port">Its number.</param>
    /// <param name="keepsChunks">Whether its chunks are lost: a driver with zero copy may write to them a little longer.</param>
    internal void Leave(byte port, bool keepsChunks)
    {
        lock (_gate)
        {
            if (!keepsChunks)
            {
                var home = new List<int>();
                for (int chunk = 0; chunk < _owners.Length; chunk++)
                {
                    if (_owners[chunk] != port)
                        continue;
                    _owners[chunk] = 0;
                    home.Add(chunk);
                }

                _reserves[port - 1] = home;
            }

            if (--_open == 0)
                Region.Dispose();
        }
    }

    /// <summary>Registers or shares: tries the sockets that are bound already, one after the other.</summary>
    /// <param name="tryShare">Binds to the memory of a socket; false when that one is of no use any more.</param>
    /// <returns>False when there is none, and the memory must be registered.</returns>
    internal bool TryShare(Func<AfXdpSocket, bool> tryShare)
    {
        lock (_gate)
            return _sockets.Exists(socket => tryShare(socket));
    }

    internal void Add(AfXdpSocket socket)
    {
        lock (_gate)
            _sockets.Add(socket);
    }

    internal void Remove(AfXdpSocket socket)
    {
        lock (_gate)
            _sockets.Remove(socket);
    }

    /// <summary>Puts chunks into the pool. The worker.</summary>
    internal void Return(ReadOnlySpan<int> chunks)
    {
        foreach (int chunk in chunks)
            Return(chunk);
    }

    /// <summary>Puts a chunk into the pool. The worker.</summary>
    internal void Return(int chunk)
    {
        _owners[chunk] = 0;
        _pool[_pooled++] = chunk;
    }

    /// <summary>Takes a chunk from the pool. The worker.</summary>
    /// <returns>False when it is empty.</returns>
    internal bool TryTake(byte port, out int chunk)
    {
        if (_pooled == 0)
        {
            chunk = -1;
            return false;
        }

        // The one returned last is the likeliest to be in the cache.
        chunk = _pool[--_pooled];
        _owners[chunk] = port;
        return true;
    }

    /// <summary>Passes a chunk from one port to another. The worker.</summary>
    internal void Pass(int chunk, byte port) => _owners[chunk] = port;

    /// <summary>Where a port puts frames together: offset in the region.</summary>
    internal int GatherAt(byte port) => UmemBytes + ((port - 1) * GatherBytes);

    /// <summary>How many chunks are with a port; for tests.</summary>
    internal int CountOf(byte port) => _owners.Count(owner => owner == port);
}
