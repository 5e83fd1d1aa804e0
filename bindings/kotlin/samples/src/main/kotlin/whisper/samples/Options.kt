package whisper.samples

/** What stands on the command line: names and values, some of them several times. */
internal class Options private constructor(private val given: List<Pair<String, String>>) {
    fun last(name: String): String? = all(name).lastOrNull()

    fun all(name: String): List<String> = given.filter { it.first == name }.map { it.second }

    companion object {
        /**
         * Reads options that all have a value, `--name value` or `--name=value`.
         *
         * @throws IllegalArgumentException for the person at the terminal
         */
        fun of(arguments: Array<String>, known: Map<String, String>): Options {
            val given = mutableListOf<Pair<String, String>>()
            val rest = arguments.iterator()
            while (rest.hasNext()) {
                val argument = rest.next()
                val name = argument.substringBefore('=')
                val value = known[name]
                require(value != null) { "unexpected argument '$argument'; see --help" }
                val isWhole = '=' in argument
                require(isWhole || rest.hasNext()) { "a value is required for '$name <$value>'" }
                given += name to if (isWhole) argument.substringAfter('=') else rest.next()
            }
            return Options(given)
        }
    }
}
