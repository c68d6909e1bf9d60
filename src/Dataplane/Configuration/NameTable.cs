namespace Dataplane.Configuration;

/// <summary>The words a key may take, each with its value: one table for reading, writing and checking.</summary>
internal sealed class NameTable<T>(params (string Name, T Value)[] entries)
    where T : struct
{
    public IEnumerable<string> Names => entries.Select(entry => entry.Name);

    public string Problem => $"is not {WordList.Or(Names)}";

    public bool TryRead(string text, out T value)
    {
        foreach ((string name, T candidate) in entries)
        {
            if (name == text)
            {
                value = candidate;
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The word for a value; null for one that no word stands for.</summary>
    public string? NameOf(T value)
    {
        foreach ((string name, T candidate) in entries)
        {
            if (EqualityComparer<T>.Default.Equals(candidate, value))
            {
                return name;
            }
        }

        return null;
    }
}
