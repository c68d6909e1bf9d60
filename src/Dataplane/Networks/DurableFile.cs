using Dataplane.Native;

namespace Dataplane.Networks;

/// <summary>Files that are there whole or not at all, whenever the process or the machine dies; and locks that die with their holder.</summary>
public static class DurableFile
{
    private const int FirstWaitMs = 1;
    private const int MaxWaitMs = 20;

    /// <summary>Is never set: waiting for it is waiting for a time.</summary>
    private static readonly ManualResetEventSlim s_never = new(false);

    /// <summary>Replaces a file: the bytes are on the disk before the name leads to them, and the name is before this returns.</summary>
    /// <param name="path">The file; its directory exists.</param>
    /// <param name="content">All its bytes.</param>
    /// <exception cref="IOException">The disk is full or failed; the file is as it was.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        string full = Path.GetFullPath(path), beside = full + ".new";
        using (var stream = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(beside, full, overwrite: true);
        DirectorySync.Flush(Path.GetDirectoryName(full)!);
    }

    /// <summary>Removes a file: its name is gone from the disk before this returns. One that is not there is no error.</summary>
    /// <param name="path">The file; its directory exists.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void Remove(string path)
    {
        string full = Path.GetFullPath(path);
        File.Delete(full);
        DirectorySync.Flush(Path.GetDirectoryName(full)!);
    }

    /// <summary>Waits for a lock that one holder has at a time, over all processes and threads (flock(2)); the kernel frees it when the holder dies.</summary>
    /// <param name="path">A file for this purpose alone; it is made when it is not there, and stays.</param>
    /// <param name="patience">How long to wait.</param>
    /// <returns>The lock; dispose of it to let others in.</returns>
    /// <exception cref="IOException">Another has it all that time, or the file cannot be opened.</exception>
    public static IDisposable Lock(string path, TimeSpan patience)
    {
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        for (int waitMs = FirstWaitMs; ; waitMs = Math.Min(MaxWaitMs, waitMs * 2))
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException busy) when (busy is not (FileNotFoundException or DirectoryNotFoundException))
            {
                if (Environment.TickCount64 >= end)
                {
                    throw new IOException($"{path} is locked by another process, for more than {patience.TotalSeconds:0.###} s.", busy);
                }

                // flock(2) has no time limit of its own, and waiting in it could not be ended.
                s_never.Wait(waitMs);
            }
        }
    }
}
